"""Training pictures on the card: decoded once by many threads, then drawn, turned and scaled there."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lavlive.errors import TrainingError
from lavlive.training.generator_data import decode, is_held_out, level, list_pictures

_MOST_THREADS = 16


def load(source: Path, resolution: int, device: torch.device) -> tuple[Tensor, int]:
    """Levelled training pictures, uint8 [N, 3, R, R] on the device, and how many could not be read.

    The same pictures are held out as in the ordinary training.

    Raises:
        TrainingError: the source is missing, or fewer than two pictures of it can be used.
    """
    listed = [(name, read) for name, read in list_pictures(source) if not is_held_out(name)]
    contents = [read() for _, read in listed]  # a zip is read by one thread

    def decoded(content: bytes) -> np.ndarray | None:
        try:
            return level(decode(content, resolution))
        except (OSError, ValueError, SyntaxError, zipfile.BadZipFile):
            return None

    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
        pictures = [picture for picture in pool.map(decoded, contents) if picture is not None]
    if len(pictures) < 2:
        raise TrainingError(f"only {len(pictures)} of {len(listed)} pictures of {source} can be trained on")
    together = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return together.to(device), len(listed) - len(pictures)


def batches(pictures: Tensor, count: int, seed: int) -> Iterator[Tensor]:
    """Endless batches float32 [count, 3, R, R] in −1..1, eighths of each under each of the symmetries."""
    random = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(pictures), (count,), generator=random).to(pictures.device)
        batch = pictures[chosen].float().div_(127.5).sub_(1)
        parts = [turned(part, index) for index, part in enumerate(batch.tensor_split(8)) if len(part)]
        yield torch.cat(parts).contiguous(memory_format=torch.channels_last)


def turned(batch: Tensor, index: int) -> Tensor:
    """A batch [N, 3, R, R] under one of the square's eight symmetries."""
    batch = torch.rot90(batch, index % 4, (2, 3))
    return batch.flip(3) if index >= 4 else batch
