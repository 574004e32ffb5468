"""``python -m mdbopt`` is the command ``mdbopt``."""

import sys

from mdbopt.cli import main

if __name__ == "__main__":
    sys.exit(main())
