"""Contact sheets: what a generator makes, in one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lavlive.generator.network import Generator
from lavlive.generator.wstats import WStatistics, measure_w

Pictures = npt.NDArray[np.uint8]


def to_bytes(pictures: Tensor) -> Pictures:
    """float [N, 3, H, W] about −1..1 → uint8 [N, H, W, 3]."""
    scaled = (pictures.detach() * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    array: Pictures = scaled.permute(0, 2, 3, 1).cpu().numpy()
    return array


@torch.inference_mode()
def render(generator: Generator, w_plus: Tensor, batch: int = 8) -> Pictures:
    """w+ [N, L, w_dim] → uint8 [N, H, W, 3], a few at a time."""
    return np.concatenate([to_bytes(generator.synthesis(part)) for part in w_plus.split(batch)])


@torch.inference_mode()
def random_w(generator: Generator, count: int, seed: int) -> Tensor:
    """w+ [count, L, w_dim] of random z."""
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    w: Tensor = generator.mapping(z.to(generator.mapping.w_mean.device))
    return w[:, None].expand(-1, generator.num_ws, -1)


@torch.inference_mode()
def walk_w(generator: Generator, count: int, seed: int, stops: int = 8, spread: float = 1.0) -> Tensor:
    """w+ [count, L, w_dim] on a smooth closed walk through W as sound drives it.

    The walk passes ``stops`` points W_mean + spread·W_std ⊙ N(0, I); between two of them the deviation
    turns, so that it keeps its size.
    """
    statistics: WStatistics = measure_w(generator, samples=2000)
    random = torch.Generator().manual_seed(seed)
    points = torch.randn(stops, generator.config.w_dim, generator=random)
    where = torch.arange(count) * (stops / count)
    index = where.long()
    angle = (where - index)[:, None] * (torch.pi / 2)
    deviation = points[index] * angle.cos() + points[(index + 1) % stops] * angle.sin()
    w = torch.from_numpy(statistics.mean) + spread * torch.from_numpy(statistics.std) * deviation
    return w[:, None].expand(-1, generator.num_ws, -1).to(generator.mapping.w_mean.device)


def music_pictures(track: Path, generator: Path, count: int = 40, seconds: float = 60.0) -> Pictures:
    """What a show makes of a track at the defaults, in 16:9: uint8 [count, H, W, 3], evenly apart."""
    # Training on a machine without sound needs none of these.
    from lavlive.audio.tracks import read_track
    from lavlive.engine.loading import load_model, load_path
    from lavlive.engine.offline import latents_of
    from lavlive.parameters import Values

    values = Values()
    model, _ = load_model(str(generator), "torch", aspect=16 / 9)
    pictures: list[Pictures] = []
    with read_track(str(track)) as sound:
        for time, latent in latents_of(sound, load_path("bundled"), values):
            if time >= len(pictures) * seconds / count:
                pictures.append(model.picture(latent).copy())
            if len(pictures) == count:
                break
    model.close()
    return np.stack(pictures)


def write_sheet(pictures: Pictures, path: Path, columns: int = 8, side: int | None = None) -> None:
    """Pictures [N, H, W, 3] side by side, each ``side`` pixels high if given, as PNG or JPEG by ``path``."""
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    blank = np.zeros_like(pictures[0])
    filled = [[*row, *[blank] * (columns - len(row))] for row in rows]
    sheet = Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in filled]))
    if side is not None:
        width = round(side * pictures.shape[2] / pictures.shape[1])
        sheet = sheet.resize((width * columns, side * len(rows)), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)
