"""Makes a set of pictures to train on, from a family's formula.

    python -m lavlive.training pictures silk --count 2600 --size 512 --seed 1000 -o silk.zip

Pictures are square, WebP, one per seed from --seed on, the same at every call. They gather in a folder beside
the zip (FILE.zip.part) and are packed at the end; a call that was stopped goes on with those that are there.
With a folder as -o they stay in it.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lavlive.errors import CheckpointError, TrainingError
from lavlive.generator.checkpoint import write_atomically
from lavlive.training.pictures.families import FAMILIES, Family, picture

_NOTE = "made.json"
_SMALLEST, _LARGEST = 32, 4096


@dataclass(frozen=True, kw_only=True)
class PicturesOptions:
    """What set of pictures is made.

    Attributes:
        family: a name of `FAMILIES`.
        out: a .zip, or a folder.
        count: how many pictures.
        size: of a side, in pixels.
        seed: of the first picture; the next has the next.
        quality: of the WebP files, 1 to 100.
    """

    family: str
    out: Path
    count: int = 2500
    size: int = 512
    seed: int = 1000
    quality: int = 90


def parse(argv: list[str]) -> PicturesOptions:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m lavlive.training pictures", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "families:\n" + "\n".join(f"  {f.name:10s}{f.says}" for f in FAMILIES.values())
    parser.add_argument("family", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--count", type=int, default=PicturesOptions.count, help="how many pictures")
    parser.add_argument("--size", type=int, default=PicturesOptions.size, help="of a side, in pixels")
    parser.add_argument(
        "--seed", type=int, default=PicturesOptions.seed, help="of the first picture; the next has the next"
    )
    parser.add_argument(
        "--quality", type=int, default=PicturesOptions.quality, help="of the WebP files, 1 to 100"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="a .zip, or a folder")
    return PicturesOptions(**vars(parser.parse_args(argv)))


def _checked(options: PicturesOptions) -> Family:
    family = FAMILIES.get(options.family)
    if family is None:
        raise TrainingError(f"there is no family {options.family!r}; there are {', '.join(FAMILIES)}")
    if options.count < 1:
        raise TrainingError(f"--count {options.count}: at least one picture")
    if not _SMALLEST <= options.size <= _LARGEST:
        raise TrainingError(f"--size {options.size}: {_SMALLEST} to {_LARGEST} pixels")
    if options.seed < 0:
        raise TrainingError(f"--seed {options.seed}: not negative")
    if not 1 <= options.quality <= 100:
        raise TrainingError(f"--quality {options.quality}: 1 to 100")
    if options.out.suffix.lower() == ".zip" and options.out.exists():
        raise TrainingError(f"{options.out} exists; choose another -o, or remove it")
    family.ready()
    return family


def make(options: PicturesOptions) -> Path:
    """Make the set; the zip or folder.

    Raises:
        TrainingError: an option is out of range, the place cannot be written to (what is made stays), or
            another set lies there.
    """
    family = _checked(options)
    out = options.out
    packed = out.suffix.lower() == ".zip"
    folder = out.with_name(out.name + ".part") if packed else out
    _open_folder(folder, {"family": family.name, "size": options.size, "quality": options.quality})
    names = [f"{family.name}-{seed:07d}.webp" for seed in range(options.seed, options.seed + options.count)]
    with tqdm(total=len(names), desc=family.name, unit="picture") as bar:
        for seed, name in enumerate(names, options.seed):
            if not (folder / name).exists():
                _write(folder / name, encoded(picture(family, seed, options.size), options.quality), folder)
            bar.update()
    if packed:
        _pack(folder, names, out)
    return out


def encoded(pixels: object, quality: int) -> bytes:
    """A picture uint8 [H, W, 3] as WebP."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _open_folder(folder: Path, wanted: dict[str, object]) -> None:
    note = folder / _NOTE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = json.loads(note.read_text()) if note.exists() else None
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot use {folder}: {error}") from error
    if found is None:
        _write(note, json.dumps(wanted).encode(), folder)
    elif found != wanted:
        raise TrainingError(f"{folder} holds another set ({found}); choose another -o, or remove it")


def _write(path: Path, content: bytes, folder: Path) -> None:
    try:
        write_atomically(path, content)
    except CheckpointError as error:
        raise TrainingError(f"{error}; what is made stays in {folder}, and the same call goes on") from error


def _pack(folder: Path, names: list[str], out: Path) -> None:
    """All pictures into one zip, uncompressed, since they are; then their folder goes."""
    unfinished = out.with_name(out.name + ".packing")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for name in names:
                # Without the time of day, so that the same call makes the same file.
                archive.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes())
        unfinished.replace(out)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise TrainingError(
            f"cannot write {out}: {error}; what is made stays in {folder}, and the same call goes on"
        ) from error
    shutil.rmtree(folder, ignore_errors=True)


def main(argv: list[str]) -> int:
    """The subcommand ``pictures``."""
    out = make(parse(argv))
    print(f"made {out}")
    return 0
