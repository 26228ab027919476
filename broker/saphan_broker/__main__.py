"""`python -m saphan_broker` is the `saphan-broker` command."""

from __future__ import annotations

import sys

from saphan_broker.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
