"""Puts a finished study where people read it: docs/study.md and its figures.

lavlive study TRACKS -o FOLDER
python tools/study.py FOLDER
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Copy report and figures."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "report.md").is_file():
        sys.exit("usage: python tools/study.py FOLDER, with the folder that lavlive study -o wrote")
    folder = Path(sys.argv[1])
    shutil.copyfile(folder / "report.md", ROOT / "docs" / "study.md")
    for figure in folder.glob("study*.png"):
        shutil.copyfile(figure, ROOT / "docs" / figure.name)


if __name__ == "__main__":
    main()
