"""Makes the kept pictures of ``tests/golden`` anew: ``python -m tools.goldens``, then look at them.

Needed after a change that is meant: another bundled generator, other mathematics.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.golden import FOLDER, WRITE

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run the tests that compare, with the wish to keep what they see."""
    (FOLDER / "bundled.json").unlink(missing_ok=True)
    for picture in FOLDER.glob("*.png"):
        picture.unlink()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/test_golden.py",
        "tests/test_panel.py",
        "-k",
        "still",
        "-q",
    ]
    status = subprocess.run(command, cwd=ROOT, env=os.environ | {WRITE: "1"}, check=False).returncode
    for file in sorted(FOLDER.glob("*.*")):
        print(f"{file.relative_to(ROOT)}  {file.stat().st_size} bytes")
    return status


if __name__ == "__main__":
    sys.exit(main())
