"""`python -m saphan` is the `saphan` command."""

from __future__ import annotations

import sys

from saphan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
