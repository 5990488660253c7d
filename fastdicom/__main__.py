"""`python -m fastdicom` is the command line, `python -m fastdicom serve` the service."""

import sys

from fastdicom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
