"""``python -m cocorec_cli`` is ``cocorec``."""

import sys

from cocorec_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
