"""Health check of the image: `python probe.py URL` ends with 0 when the page answers 200.

The certificate is not judged: the broker's is its own, and the question goes to this container.
"""

from __future__ import annotations

import ssl
import sys
import urllib.error
import urllib.request

SECONDS = 4.0
SHOWN = 2_000


def main(url: str) -> int:
    """Ask once, print what came (`docker inspect` shows it); the status says whether it is well."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    direct = urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=blind))
    try:
        with opener.open(url, timeout=SECONDS) as answer:
            print(answer.read(SHOWN).decode(errors="replace"))
    except urllib.error.HTTPError as error:  # 503 of /readyz carries the reasons
        print(error.read(SHOWN).decode(errors="replace"))
        return 1
    except OSError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
