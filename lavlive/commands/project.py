"""``lavlive model project``: the points of a model's W whose pictures are most like those from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from tqdm import tqdm

from lavlive.commands.options import ModelProjectOptions, text_of
from lavlive.errors import UsageError
from lavlive.files import replacing
from lavlive.generator.checkpoint import stylegan2_of
from lavlive.generator.importing import open_model
from lavlive.generator.projecting import Projector, Search
from lavlive.generator.wstats import w_statistics
from lavlive.resources import generator_file, is_no_file

_KEPT_EVERY = 25
_MOST_PIXELS = 100_000_000


@dataclass
class _Points:
    """What the file of points holds; pictures that are done, and one that is under way.

    Attributes:
        asked: what the search was asked for; with anything else it begins anew.
        done: by the digest of a picture: its name, w [3, w_dim], distance before and after.
        digest: of the picture under way, and its search.
    """

    model: str
    w_dim: int
    asked: str
    done: dict[str, tuple[str, np.ndarray, float, float]] = field(default_factory=dict)
    digest: str = ""
    search: Search | None = None

    def write(self, path: Path) -> None:
        """Raises UsageError when it cannot be written."""
        content: dict[str, Any] = {
            "model": np.array(self.model),
            "asked": np.array(self.asked),
            "digests": np.array(list(self.done), dtype="U64"),
            "names": np.array([name for name, *_ in self.done.values()], dtype=str),
            "w": np.array([w for _, w, _, _ in self.done.values()], np.float32).reshape(
                len(self.done), 3, self.w_dim
            ),
            "before": np.array([before for *_, before, _ in self.done.values()], np.float64),
            "after": np.array([after for *_, after in self.done.values()], np.float64),
            "digest": np.array(self.digest),
        }
        if self.search is not None:
            content |= {
                f"search_{name}": np.asarray(value)
                for name, value in vars(self.search).items()
                if value is not None
            }
        try:
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez(file, **content)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error


def project(options: ModelProjectOptions) -> str:
    """Find the points of pictures and write them; one that was interrupted goes on where it was.

    Returns:
        What was found, a line each.

    Raises:
        CheckpointError: there is no such generator, or it is a StyleGAN3.
        UsageError: a picture that is none, or a file that cannot be written.
    """
    output = Path(options.output)
    if is_no_file(output):
        raise UsageError(f"{output} is not a file; give another name.")
    paths = [Path(picture) for picture in options.pictures]
    loaded = open_model(generator_file(text_of(options.model)))
    generator = stylegan2_of(loaded)
    config = generator.config
    height, width = config.size(config.resolution)
    targets = [read_picture(path, height, width) for path in paths]  # all of them, before minutes go by
    projector = Projector(generator, w_statistics(generator, loaded.hash), options.space == "w+")
    asked = f"{options.space} {options.steps} steps"
    points = _before(output, loaded.hash, config.w_dim, asked)
    lines = []
    for path, target in zip(paths, targets, strict=True):
        digest = hashlib.sha256(target.tobytes()).hexdigest()
        if digest not in points.done:
            _search(points, projector, target, digest, path, options.steps, output)
        name, _, before, after = points.done[digest]
        lines.append(f"{name}: distance {before:.4f} at W's mean, {after:.4f} found")
    lines.append(f"{output}: {len(points.done)} points; show them with lavlive live --points {output}")
    return "\n".join(lines)


def _search(
    points: _Points,
    projector: Projector,
    target: np.ndarray,
    digest: str,
    path: Path,
    steps: int,
    output: Path,
) -> None:
    with tqdm(total=steps, unit="step", desc=path.name, disable=None) as bar:
        if points.digest != digest or points.search is None:
            points.digest, points.search = digest, projector.begin(target)

        def after_step(search: Search) -> None:
            bar.update(search.step - bar.n)
            bar.set_postfix_str(f"distance {search.now:.4f}")
            if search.step % _KEPT_EVERY == 0 and search.step < steps:
                points.write(output)

        search = points.search
        w = projector.go_on(search, target, steps, after_step)
    points.done[digest] = (path.name, w, search.before, search.best)
    points.digest, points.search = "", None
    points.write(output)


def _before(path: Path, model: str, w_dim: int, asked: str) -> _Points:
    """What an earlier run left in the file; nothing of another model or kind of search is gone on with.

    Raises:
        UsageError: the file is something else, which is not overwritten.
    """
    fresh = _Points(model, w_dim, asked)
    if not path.exists():
        return fresh
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            kept = {name: stored[name] for name in stored.files}
        if str(kept["model"]) != model:
            raise UsageError(f"{path} holds points of another model; give another name.")
        if str(kept["asked"]) != asked:
            raise UsageError(f"{path} holds points found otherwise ({kept['asked']}); give another name.")
        fresh.done = {
            str(digest): (str(name), w, float(before), float(after))
            for digest, name, w, before, after in zip(
                kept["digests"], kept["names"], kept["w"], kept["before"], kept["after"], strict=True
            )
        }
        fresh.digest = str(kept["digest"])
        if fresh.digest:
            values = {name.removeprefix("search_"): kept[name] for name in kept if name.startswith("search_")}
            numbers = {name: value if value.ndim else value.item() for name, value in values.items()}
            fresh.search = Search(**numbers)
    except UsageError:
        raise
    except Exception as error:  # whatever a file of another kind makes numpy raise
        raise UsageError(f"{path} is there and holds no points; give another name.") from error
    return fresh


def read_picture(path: Path, height: int, width: int) -> np.ndarray:
    """The middle of a picture, as much as has the wanted shape, uint8 [height, width, 3].

    Raises:
        UsageError: it cannot be read as a picture.
    """
    if not path.is_file():
        raise UsageError(f"There is no picture {path}.")
    try:
        with av.open(str(path)) as opened:
            stream = opened.streams.video[0]
            if stream.width * stream.height > _MOST_PIXELS:
                raise UsageError(f"{path} has {stream.width} x {stream.height} pixels; make it smaller.")
            pixels = next(opened.decode(stream)).to_ndarray(format="rgb24")
    except UsageError:
        raise
    except (av.FFmpegError, IndexError, StopIteration, ValueError, OSError) as error:
        raise UsageError(f"{path} is no picture that can be read (JPEG, PNG, WebP and the like).") from error
    return _fitted(pixels, height, width)


def _fitted(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    scale = min(pixels.shape[0] / height, pixels.shape[1] / width)
    cut = [max(1, round(side * scale)) for side in (height, width)]
    top, left = ((have - side) // 2 for have, side in zip(pixels.shape, cut, strict=False))
    middle = np.ascontiguousarray(pixels[top : top + cut[0], left : left + cut[1]])
    if middle.shape[:2] == (height, width):
        return middle
    frame = av.VideoFrame.from_ndarray(middle, format="rgb24")
    resized: np.ndarray = frame.reformat(width, height, interpolation="AREA").to_ndarray(format="rgb24")
    return resized
