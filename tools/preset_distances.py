"""How far apart presets look, in figures: python -m tools.preset_distances STILLS

STILLS is a folder that ``tools.preset_sheet --stills`` filled: PRESET-TRACK.jpg, all of the same tracks.
Pictures are compared on a grid of 16 × 16 places in CIE L*a*b*, as in the study; two figures for each pair:

    place    mean ΔE (CIE 1976) of the places: forms and colours where they are
    colours  the same after the places were sorted by each of L*, a* and b*: which colours there are, wherever

and of these the means between two presets on one track, and between two tracks with one preset.
"""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from lavlive.control.looks.starting import preset_library
from lavlive.study.pictures import thumbnail

SIZE = (256, 144)


def by_place(one: np.ndarray, other: np.ndarray) -> float:
    """Mean ΔE of two thumbnails [768]."""
    return float(np.linalg.norm((one - other).reshape(-1, 3), axis=1).mean())


def by_colours(one: np.ndarray, other: np.ndarray) -> float:
    """Mean ΔE of two thumbnails [768] whose L*, a* and b* are sorted each for itself."""
    return by_place(*(np.sort(each.reshape(-1, 3), axis=0) for each in (one, other)))


def stills(folder: Path) -> dict[tuple[str, str], np.ndarray]:
    """Thumbnails by preset and track."""
    names = [preset.name.lower().replace(" ", "-") for preset in preset_library().all()]
    found = {}
    for file in sorted(folder.glob("*.jpg")):
        preset = max((name for name in names if file.stem.startswith(f"{name}-")), key=len)
        picture = Image.open(file).convert("RGB").resize(SIZE, Image.Resampling.BOX)
        found[preset, file.stem.removeprefix(f"{preset}-")] = thumbnail(np.asarray(picture))
    return found


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stills", type=Path)
    found = stills(parser.parse_args().stills)
    presets, tracks = sorted({key[0] for key in found}), sorted({key[1] for key in found})
    if len(found) != len(presets) * len(tracks):
        print(
            f"Not every preset has every track: {len(found)} stills of {presets} on {tracks}", file=sys.stderr
        )
        return 2
    print(f"{'':<16} tracks apart: place colours   from other presets: place colours (nearest by colours)")
    for preset in presets:
        own = [(found[preset, a], found[preset, b]) for a, b in combinations(tracks, 2)]
        inner = [np.mean([measure(*pair) for pair in own]) for measure in (by_place, by_colours)]
        far = {}
        for other in presets:
            if other != preset:
                pairs = [(found[preset, track], found[other, track]) for track in tracks]
                far[other] = [
                    np.mean([measure(*pair) for pair in pairs]) for measure in (by_place, by_colours)
                ]
        outer = np.mean(list(far.values()), axis=0)
        near = min(far, key=lambda other: far[other][1])
        print(
            f"{preset:<16} {inner[0]:19.1f} {inner[1]:7.1f} {outer[0]:27.1f} {outer[1]:7.1f}"
            f" ({near} {far[near][1]:.1f})"
        )
    for name, measure in (("place", by_place), ("colours", by_colours)):
        between = [measure(found[a, t], found[b, t]) for a, b in combinations(presets, 2) for t in tracks]
        within = [measure(found[p, a], found[p, b]) for p in presets for a, b in combinations(tracks, 2)]
        apart = f"presets apart {np.mean(between):.1f}, tracks apart within a preset {np.mean(within):.1f}"
        print(f"{name}: {apart}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
