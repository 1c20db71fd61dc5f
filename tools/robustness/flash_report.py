"""The flash limiter on a model's own pictures.

    python -m tools.robustness.flash_report [--model FILE] [--tracks FILE…]

Two questions, answered with the real path from sound to canvas and without clocks:

- hostile: drums into a look that is made to flash (onset depth, spread and truncation at their maximum,
  windows at their minimum, no dissolve): changes in the worst second with and without the limiter, as the
  counter of `tests.support.flash_counter` sees them, which shares no code with the limiter. Six changes are
  three flashes.
- ordinary: tracks at the default parameters: the mean difference that the limiter makes to the canvas, of
  255.

``--iris PROGRAM`` has the hostile videos judged by the command ``iris`` of the package iris-pse-detection,
too (a port of EA's IRIS; best installed in an environment of its own: it brings OpenCV along).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from lavlive.audio.tracks import read_track
from lavlive.engine.loading import load_model, load_path
from lavlive.engine.offline import Clip, latents_of
from lavlive.engine.picture_worker import Model
from lavlive.link.contents import Picture
from lavlive.parameters import TABLE, Values
from lavlive.resources import shipped
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from lavlive.stage.recording.video import VideoWriter
from tests.support.flash_counter import LIGHT, FlashCount, count_flashes

ALLOWED = 6
MOST_DIFFERENCE = 1.0
_CANVAS = (320, 180)
_BLOCK = 10
_HITS_PER_SECOND = (2.0, 4.0, 8.0)
_HIGHEST = (
    "mapper.y",
    "mapper.c",
    "modulation.onset.coarse",
    "modulation.onset.middle",
    "modulation.onset.fine",
)
_LOWEST = ("smoothing.coarse", "smoothing.middle", "smoothing.fine", "show.dissolve")


@dataclass(frozen=True)
class Hostile:
    """Changes in the worst second, of the areas' mean light and of single pixels, and the word of iris."""

    name: str
    areas_before: FlashCount
    areas_after: FlashCount
    pixels_before: FlashCount
    pixels_after: FlashCount
    held_share: float
    iris_before: str | None = None
    iris_after: str | None = None


@dataclass(frozen=True)
class Ordinary:
    """Difference that the limiter makes, of 255: mean over a track, and of its worst picture."""

    name: str
    mean: float
    worst: float
    held_share: float


def hostile_look() -> Values:
    """What flashes as much as the parameters allow."""
    bounds = {parameter.name: parameter for parameter in TABLE}
    values = Values({name: bounds[name].high for name in _HIGHEST})
    values.update({name: bounds[name].low for name in _LOWEST})
    values.update({"generator.truncation": bounds["generator.truncation"].high})
    return values


def write_drums(path: Path, hits_per_second: float, seconds: float, rate: int = 44_100) -> None:
    """A loop of drums: a falling sine and a burst of noise with every hit, silence between."""
    random = np.random.default_rng(0)
    time = np.arange(round(rate / hits_per_second)) / rate
    envelope = np.exp(-time * 30)
    loops = []
    for number in range(round(seconds * hits_per_second)):
        tone = np.sin(2 * np.pi * (50 * time + 15 * (1 - np.exp(-time * 25))))
        share = 0.2 if number % 2 == 0 else 0.8
        loops.append(envelope * ((1 - share) * tone + share * random.standard_normal(len(time)) * 0.5))
    soundfile.write(path, 0.8 * np.concatenate(loops), rate, subtype="PCM_16")


class Bench:
    """A model and an encoder, and pictures of a track with and without the limiter."""

    def __init__(self, model: str | None, encoder: str, runner: str) -> None:
        self.model: Model = load_model(model, runner)[0]
        self._encoder = encoder

    def canvases(
        self, track: Path, values: Values, seconds: float, fps: float
    ) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        """Canvas without and with the limiter, uint8 [H, W, 3], and how much was held back."""
        free, limited = (HeadlessOutput(OutputSettings(canvas=_CANVAS)) for _ in range(2))
        off, on = Values(dict(values)), Values(dict(values))
        off.update({"show.flash_limit": False})
        on.update({"show.flash_limit": True})
        with read_track(str(track)) as opened:
            clip = Clip(latents_of(opened, load_path(self._encoder, w_dim=self.model.runner.w_dim), values))
            for index in range(round(min(seconds, opened.seconds) * fps)):
                now = index / fps
                pixels = self.model.picture(clip.newest(now + 0.5 / fps)).copy()
                picture = Picture(pixels, index + 1, now, now, 0)
                free.present(picture, off, now)
                limited.present(picture, on, now)
                yield free.read_canvas(), limited.read_canvas(), limited.held_back

    def hostile(self, track: Path, seconds: float, fps: float, iris: str | None, folder: Path) -> Hostile:
        """Count the flashes of a hostile look on a track."""
        seen = list(self.canvases(track, hostile_look(), seconds, fps))
        times = [index / fps for index in range(len(seen))]
        before, after = (np.array([canvases[which] for canvases in seen]) for which in (0, 1))
        words: list[str | None] = [None, None]
        if iris:
            words = [word_of_iris(iris, canvases, fps, folder) for canvases in (before, after)]
        return Hostile(
            track.stem,
            count_flashes(areas(before), times),
            count_flashes(areas(after), times),
            count_flashes(before[:, ::_BLOCK, ::_BLOCK], times),
            count_flashes(after[:, ::_BLOCK, ::_BLOCK], times),
            float(np.mean([held > 0 for _, _, held in seen])),
            *words,
        )

    def ordinary(self, track: Path, seconds: float, fps: float) -> Ordinary:
        """What the limiter changes about a track at the default parameters."""
        differences, held = [], []
        for free, limited, held_back in self.canvases(track, Values(), seconds, fps):
            differences.append(float(np.abs(free.astype(np.int16) - limited).mean()))
            held.append(held_back > 0)
        return Ordinary(track.stem, float(np.mean(differences)), max(differences), float(np.mean(held)))


def areas(pictures: np.ndarray) -> np.ndarray:
    """Mean light of blocks of ten by ten pixels, encoded again: uint8 [n, H / 10, W / 10, 3]."""
    count, height, width, _ = pictures.shape
    found = []
    for picture in pictures:
        light = LIGHT[picture].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 3).mean(axis=(1, 3))
        found.append(np.searchsorted(LIGHT, light).clip(0, 255).astype(np.uint8))
    assert len(found) == count
    return np.array(found)


def word_of_iris(program: str, canvases: np.ndarray, fps: float, folder: Path) -> str:
    """What iris-pse-detection says of pictures uint8 [n, H, W, 3]: PASS, FAIL, or ``extended``.

    That is a failure by a rule of broadcasters alone, which the limiter does not follow: two to three flashes
    a second, which WCAG allows, but for more than four seconds.
    """
    path = folder / "judged.mp4"
    with VideoWriter(path, canvases.shape[2], canvases.shape[1], fps) as video:
        for canvas in canvases:
            video.picture(canvas)
    told = subprocess.run(
        [program, str(path)], capture_output=True, text=True, check=False, timeout=600, cwd=folder
    )
    found = re.search(r"overall\D*?result\W+(\w+)", told.stdout, re.IGNORECASE)
    if found and found.group(1) == "FAIL" and not re.search(r"Flash Failures: [1-9]", told.stdout):
        return "extended"
    return found.group(1) if found else f"status {told.returncode}: {told.stdout[-300:]} {told.stderr[-300:]}"


def table(hostile: list[Hostile], ordinary: list[Ordinary]) -> str:
    """What was found, for people."""
    lines = ["changes in the worst second without → with the limiter (6 allowed)"]
    lines += [
        f"{h.name}: general {h.areas_before.general} → {h.areas_after.general}, "
        f"red {h.areas_before.red} → {h.areas_after.red}; single pixels {h.pixels_before.general} → "
        f"{h.pixels_after.general}; held back in {h.held_share:.0%} of the pictures"
        + (f"; iris: {h.iris_before} → {h.iris_after}" if h.iris_before else "")
        for h in hostile
    ]
    lines.append("difference that the limiter makes at the default parameters, of 255")
    lines += [
        f"{o.name}: mean {o.mean:.3f}, worst picture {o.worst:.2f}, held {o.held_share:.1%}" for o in ordinary
    ]
    return "\n".join(lines)


def main() -> int:
    """The tool; status 1 if the limiter lets flashes through or changes what is ordinary."""
    description = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tools.robustness.flash_report", description=description)
    parser.add_argument("--model")
    parser.add_argument("--encoder", default="bundled")
    parser.add_argument("--runner", default="auto")
    parser.add_argument("--tracks", nargs="*", type=Path, default=[], help="beside the demo track")
    parser.add_argument("--seconds", type=float, default=20.0, help="of every track (default: 20)")
    parser.add_argument("--fps", type=float, default=30.0, help="pictures a second (default: 30)")
    parser.add_argument("--iris", metavar="PROGRAM")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    bench = Bench(options.model, options.encoder, options.runner)
    demo = shipped("data") / "demo.ogg"
    hostile, ordinary = [], []
    with tempfile.TemporaryDirectory(prefix="lavlive-flash-") as name:
        folder = Path(name)
        tracks = [demo]
        for hits in _HITS_PER_SECOND:
            tracks.append(folder / f"{hits:g} drums a second.wav")
            write_drums(tracks[-1], hits, options.seconds)
        for track in tracks:
            hostile.append(bench.hostile(track, options.seconds, options.fps, options.iris, folder))
            print(table(hostile[-1:], []).splitlines()[1], file=sys.stderr)
        for track in [demo, *options.tracks]:
            ordinary.append(bench.ordinary(track, options.seconds, options.fps))
            print(table([], ordinary[-1:]).splitlines()[2], file=sys.stderr)
    bench.model.close()
    print(table(hostile, ordinary))
    if options.json:
        found = {"hostile": [asdict(h) for h in hostile], "ordinary": [asdict(o) for o in ordinary]}
        options.json.write_text(json.dumps(found, indent=1))
    held = all(max(h.areas_after.general, h.areas_after.red) <= ALLOWED for h in hostile)
    return 0 if held and all(o.mean < MOST_DIFFERENCE for o in ordinary) else 1


if __name__ == "__main__":
    sys.exit(main())
