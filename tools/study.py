"""Puts a finished study where people read it: docs/study.md, its figures, and the README's section.

lavlive study TRACKS -o FOLDER
python tools/study.py FOLDER
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADING = "## Does it follow the music?"


def splice(readme: str, section: str) -> str:
    """The README with its section replaced, or put before Troubleshooting where it has none."""
    pattern = re.compile(rf"^{re.escape(HEADING)}\n.*?(?=^## )", re.DOTALL | re.MULTILINE)
    if pattern.search(readme):
        return pattern.sub(lambda _: section + "\n", readme, count=1)
    return readme.replace("## Troubleshooting\n", f"{section}\n## Troubleshooting\n", 1)


def main() -> None:
    """Copy report and figures, splice the README."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "report.md").is_file():
        sys.exit("usage: python tools/study.py FOLDER, with the folder that lavlive study -o wrote")
    folder = Path(sys.argv[1])
    shutil.copyfile(folder / "report.md", ROOT / "docs" / "study.md")
    for figure in folder.glob("study*.png"):
        shutil.copyfile(figure, ROOT / "docs" / figure.name)
    readme = ROOT / "README.md"
    section = (folder / "readme.md").read_text(encoding="utf-8")
    readme.write_text(splice(readme.read_text(encoding="utf-8"), section), encoding="utf-8")


if __name__ == "__main__":
    main()
