"""Lays pictures of two folders side by side for eyes that do not know which is which.

    python -m tools.pairs FOLDER OTHER --out PAIRS --key KEY.json [--count 24] [--seed 1] [--width 1600]

Files are named TRACK-NAME.png (or .jpg); a pair has pictures of one track, taken by chance under the seed,
each at most once. With --moments, TRACK-NAME-0.png, -1.png … are moments of one, and a pair is two sheets of
them, one above the other. Chance says as well which is A (left, or above) and in which order pairs come.
KEY.json, which belongs in another folder, says for each pair which folder A and B came from.

    python -m tools.pairs --judge CHOICES.json --key KEY.json    counts choices: {"pair-01": "A", …}
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

from PIL import Image, ImageDraw

GAP = 8
GROUND = (24, 24, 26)
COLUMNS = 5

Shown = tuple[str, list[Path]]
"""A name and its pictures: one, or several moments in their order."""


def found(folder: Path, moments: bool) -> dict[str, list[Shown]]:
    """What lies in a folder, by track."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".png", ".jpg", ".jpeg"):
            name, _, number = path.stem.rpartition("-") if moments else (path.stem, "", "")
            if not moments or number.isdigit():
                groups.setdefault(name, []).append(path)
    tracks: dict[str, list[Shown]] = {}
    for name, paths in groups.items():
        paths.sort(key=lambda path: int(path.stem.rpartition("-")[2]) if moments else 0)
        tracks.setdefault(name.partition("-")[0], []).append((name, paths))
    return tracks


def pairs(
    one: dict[str, list[Shown]], other: dict[str, list[Shown]], count: int, rng: random.Random
) -> list[tuple[Shown, Shown, bool]]:
    """Pairs of one track, as evenly from all as can be; the last of each says whether they change places."""
    tracks = sorted(set(one) & set(other))
    matched = []
    for track in tracks:
        left, right = (rng.sample(side[track], len(side[track])) for side in (one, other))
        matched.append(list(zip(left, right, strict=False)))
    taken: list[tuple[Shown, Shown]] = []
    while len(taken) < count and any(matched):
        for each in matched:
            if each and len(taken) < count:
                taken.append(each.pop())
    rng.shuffle(taken)
    # As often the one way as the other.
    turned = [index % 2 == 1 for index in range(len(taken))]
    rng.shuffle(turned)
    return [(a, b, turn) for (a, b), turn in zip(taken, turned, strict=True)]


def drawn(shown: Shown, width: int) -> Image.Image:
    """One picture, or a sheet of moments, so wide."""
    paths = shown[1]
    if len(paths) == 1:
        picture = Image.open(paths[0]).convert("RGB")
        return picture.resize(
            (width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS
        )
    small = width // COLUMNS
    cells = [drawn((shown[0], [path]), small) for path in paths]
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (small * COLUMNS, cells[0].height * rows), GROUND)
    for index, cell in enumerate(cells):
        sheet.paste(cell, (index % COLUMNS * small, index // COLUMNS * cell.height))
    return sheet


def laid(a: Shown, b: Shown, width: int) -> Image.Image:
    """A and B side by side; sheets of moments one above the other."""
    above = len(a[1]) > 1
    parts = [drawn(one, width if above else (width - GAP) // 2) for one in (a, b)]
    head = 18
    if above:
        page = Image.new("RGB", (width, sum(part.height + head for part in parts)), GROUND)
        places = [(0, head), (0, parts[0].height + 2 * head)]
    else:
        page = Image.new("RGB", (width, head + max(part.height for part in parts)), GROUND)
        places = [(0, head), (parts[0].width + GAP, head)]
    pen = ImageDraw.Draw(page)
    for letter, part, (x, y) in zip("AB", parts, places, strict=True):
        page.paste(part, (x, y))
        pen.text((x + 4, y - 15), letter, fill=(220, 220, 220))
    return page


def judged(choices: dict[str, str], key: dict[str, dict[str, str]]) -> Counter[str]:
    """How often each folder was chosen."""
    return Counter(key[name][choice] for name, choice in choices.items() if name in key)


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--moments", action="store_true")
    options = parser.parse_args()
    if options.judge is not None:
        counts = judged(json.loads(options.judge.read_text()), json.loads(options.key.read_text()))
        print(", ".join(f"{name}: {count}" for name, count in counts.most_common()))
        return 0
    if len(options.folders) != 2 or options.out is None:
        parser.error("two folders and --out, or --judge")
    one, other = options.folders
    rng = random.Random(options.seed)
    made = pairs(found(one, options.moments), found(other, options.moments), options.count, rng)
    options.out.mkdir(parents=True, exist_ok=True)
    key: dict[str, dict[str, str]] = {}
    for number, (first, second, turned) in enumerate(made, 1):
        name = f"{'moments' if options.moments else 'pair'}-{number:02}"
        sides = [(one.name, first), (other.name, second)][:: -1 if turned else 1]
        laid(sides[0][1], sides[1][1], options.width).save(options.out / f"{name}.jpg", quality=88)
        key[name] = {"A": sides[0][0], "B": sides[1][0], "A of": sides[0][1][0], "B of": sides[1][1][0]}
    kept = json.loads(options.key.read_text()) if options.key.exists() else {}
    options.key.write_text(json.dumps(kept | key, indent=1) + "\n")
    print(f"{len(made)} pairs in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
