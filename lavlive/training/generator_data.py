"""Training pictures: from a folder or a zip to square uint8 arrays on disk."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lavlive.errors import TrainingError
from lavlive.files import replacing

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
# Out of 256: about one picture in eleven is never trained on.
HELD_OUT_BYTES = 24
_BRIGHT = 235.0
_MOST_GAIN = 4.0
_log = logging.getLogger(__name__)

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PictureSet:
    """Decoded pictures, uint8 [N, R, R, 3] each, and how many files could not be read."""

    train: Pictures
    held_out: Pictures
    broken: int


def is_held_out(name: str) -> bool:
    """Whether a picture is kept for evaluation: by a hash of its name, so the same in every run."""
    return hashlib.sha256(name.encode()).digest()[0] < HELD_OUT_BYTES


def list_pictures(source: Path) -> list[tuple[str, Callable[[], bytes]]]:
    """Name and reader of every picture in a folder (with subfolders) or zip, sorted by name.

    Raises TrainingError when ``source`` is missing, no zip, or holds no pictures.
    """
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        found = [(str(path.relative_to(source)), path.read_bytes) for path in paths]
    elif source.is_file():
        try:
            archive = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, OSError) as error:
            raise TrainingError(f"{source} is neither a folder nor a readable zip: {error}") from error
        names = sorted(name for name in archive.namelist() if Path(name).suffix.lower() in SUFFIXES)
        found = [(name, lambda name=name: archive.read(name)) for name in names]  # type: ignore[misc]
    else:
        raise TrainingError(f"there is no folder or zip {source}")
    if not found:
        raise TrainingError(f"{source} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return found


def decode(content: bytes, resolution: int) -> Pictures:
    """One picture, cropped to its middle square and resized, uint8 [R, R, 3].

    Raises OSError or another of Pillow's errors when it is broken.
    """
    with Image.open(io.BytesIO(content)) as opened:
        picture = opened.convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    if side != resolution or picture.size != (side, side):
        picture = picture.resize((resolution, resolution), Image.Resampling.LANCZOS, box=box)
    return np.asarray(picture)


def load_pictures(source: Path, resolution: int, folder: Path) -> PictureSet:
    """Decode ``source`` once into ``folder``; later calls open what is there.

    Broken files are skipped, counted and logged. Raises TrainingError when fewer than two are left.
    """
    listed = list_pictures(source)
    key = hashlib.sha256("\n".join([str(source.resolve()), *(name for name, _ in listed)]).encode())
    stem = f"pictures-{key.hexdigest()[:12]}-{resolution}"
    paths = [folder / f"{stem}-train.npy", folder / f"{stem}-held.npy"]
    broken = 0
    if not all(path.is_file() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        broken = _decode_all(listed, resolution, paths)
    train, held_out = (np.load(path, mmap_mode="r", allow_pickle=False) for path in paths)
    return PictureSet(train, held_out, broken)


def _decode_all(listed: list[tuple[str, Callable[[], bytes]]], resolution: int, paths: list[Path]) -> int:
    from tqdm import tqdm

    kept: dict[bool, list[Pictures]] = {False: [], True: []}
    broken = 0
    for name, read in tqdm(listed, desc=f"decoding at {resolution}²", unit="picture"):
        try:
            picture = decode(read(), resolution)
        except (OSError, ValueError, SyntaxError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
            broken += 1
            _log.warning("skipping %s: %s", name, error)
            continue
        kept[is_held_out(name)].append(picture)
    if len(kept[False]) < 2:
        raise TrainingError(f"only {len(kept[False])} of {len(listed)} pictures can be trained on")
    for path, pictures in zip(paths, (kept[False], kept[True]), strict=True):
        array = np.stack(pictures) if pictures else np.zeros((0, resolution, resolution, 3), np.uint8)
        try:
            with replacing(path) as beside, beside.open("wb") as file:
                np.save(file, array)
        except OSError as error:
            raise TrainingError(f"cannot write decoded pictures to {path}: {error}") from error
    return broken


def to_tensor(pictures: Pictures) -> Tensor:
    """uint8 [N, R, R, 3] → float32 [N, 3, R, R] in −1..1, channels last in memory."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def level(picture: Pictures) -> Pictures:
    """A dim picture uint8 [R, R, 3] with its brightest hundredth raised to near white, at most fourfold.

    On a stage a dim picture is a dark one.
    """
    peak = np.percentile(picture.max(axis=2), 99)
    gain = np.clip(_BRIGHT / max(float(peak), 1.0), 1.0, _MOST_GAIN)
    raised: Pictures = np.minimum(picture * gain, 255).astype(np.uint8)
    return raised


def levelled(pictures: Pictures) -> Tensor:
    """uint8 [N, R, R, 3] → float32 [N, 3, R, R] in −1..1, each picture as `level` makes it."""
    return to_tensor(np.stack([level(picture) for picture in pictures]))


def batches(pictures: Pictures, count: int, random: np.random.Generator) -> Iterator[Tensor]:
    """Endless batches float32 [count, 3, R, R] in −1..1, levelled, each under one of eight symmetries."""
    while True:
        chosen = np.sort(random.integers(len(pictures), size=count))
        turned = [_symmetry(level(picture), int(random.integers(8))) for picture in pictures[chosen]]
        yield to_tensor(np.stack(turned))


def _symmetry(picture: Pictures, index: int) -> Pictures:
    turned = np.rot90(picture, index % 4)
    return turned[:, ::-1] if index >= 4 else turned
