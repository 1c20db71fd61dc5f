"""``python -m lavlive`` is the command ``lavlive``."""

import sys

from lavlive.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
