"""How far generators move by drives, with music and with silence: python -m tools.drive_motion TRACK…

Every input of each ISF generator is driven ("sound moves all", a seed). Sound goes through the bundled
encoder and the latent path as in a show, with the values that a show begins with. Of each, after a warm-up:

    inputs    how far an input moves: its standard deviation in parts of its range, the mean of driven ones
    picture   mean absolute difference of drawings 0.1 s apart, of 255, on a small canvas
    undriven  the same without drives: what a generator does by itself is no merit of the sound
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lavlive.audio.tracks import read_track
from lavlive.control.beat.tempo import Tempo
from lavlive.control.controls import CanvasValues
from lavlive.control.looks.drives import Heard, drive_all
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.engine.loading import load_path
from lavlive.engine.offline import latents_of
from lavlive.latent.path import Latent, LatentPath
from lavlive.link.contents import Picture
from lavlive.parameters import Parameter, Values, joined, loaded_parameters
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.document import ShaderKind
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput

RATE = 10.0
SIZE = (128, 72)
SILENCE = Path("silence")


def heard_in(track: Path, seconds: float, warm_up: float) -> list[Heard]:
    """What drives hear of a track's middle, `RATE` times a second."""
    path = load_path("bundled", None, device="cpu")
    return [
        Heard(latent.deviation, latent.features.onset, latent.features.spectrum, latent.features.chroma)
        for latent in _every(_latents(track, path, warm_up + seconds), warm_up)
    ]


def _latents(track: Path, path: LatentPath, seconds: float) -> Iterator[tuple[float, Latent]]:
    if track == SILENCE:
        encoder = path.encoder
        for hop in range(round(seconds * encoder.sample_rate / encoder.hop)):
            latent = path.step(np.zeros(encoder.hop, np.float32), Values().numbers)
            yield hop * encoder.hop / encoder.sample_rate, latent
        return
    with read_track(track) as opened:
        begin = max(0.0, opened.seconds / 2 - seconds / 2)
        opened.seek(round(begin * opened.rate))
        for time, latent in latents_of(opened, path, Values()):
            if time - begin > seconds:
                return
            yield time - begin, latent


def _every(latents: Iterator[tuple[float, Latent]], warm_up: float) -> Iterator[Latent]:
    due = warm_up
    for time, latent in latents:
        if time >= due:
            due += 1 / RATE
            yield latent


def motion(output: HeadlessOutput, name: str, heard: list[Heard], driven: bool) -> tuple[float, float]:
    """Of a generator: how far its inputs move, and how far its picture does."""
    looks = Looks(Values({"gen.shader": name, "show.flash_limit": False}), PresetLibrary(None, None))
    prefix = f"gen.{name}."
    rows = [row for row in loaded_parameters(looks.values.__getitem__) if row.name.startswith(prefix)]
    if driven:
        for drive in drive_all([row.name for row in rows], seed=1):
            looks.drive(drive)
    tempo = Tempo()
    pixels = np.zeros((8, 8, 3), np.uint8)
    inputs: list[list[float]] = []
    changes: list[float] = []
    before: np.ndarray | None = None
    for index, one in enumerate(heard):
        now = index / RATE
        moved = {**looks.loaded_numbers(tempo.state(now), one, now)}
        inputs.append([(moved[drive] - _low(rows, drive)) / _range(rows, drive) for drive in looks.drives])
        output.present(
            Picture(pixels, index + 1, now, now, 0), CanvasValues(looks.values, looks.values, moved), now
        )
        canvas = output.read_canvas().astype(float)
        if before is not None and index > 5:
            changes.append(float(np.abs(canvas - before).mean()))
        before = canvas
    spread = float(np.std(np.array(inputs), axis=0).mean()) if looks.drives else 0.0
    return spread, float(np.mean(changes))


def _low(rows: list[Parameter], name: str) -> float:
    return next(row.low for row in rows if row.name == name)


def _range(rows: list[Parameter], name: str) -> float:
    return next(row.high - row.low for row in rows if row.name == name)


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tracks", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=4.0)
    options = parser.parse_args()
    library = ShaderLibrary([shipped("shaders") / "isf"])
    with joined(Slots(library)):
        _measure(options, library)
    return 0


def _measure(options: argparse.Namespace, library: ShaderLibrary) -> None:
    names = library.names(ShaderKind.GENERATOR)
    print("| sound | | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for track in [*options.tracks, SILENCE]:
        heard = heard_in(track, options.seconds, options.warm_up)
        rows: dict[str, list[str]] = {"inputs": [], "picture": [], "undriven": []}
        for name in names:
            with HeadlessOutput(OutputSettings(canvas=SIZE, shaders=library)) as output:
                spread, change = motion(output, name, heard, driven=True)
            with HeadlessOutput(OutputSettings(canvas=SIZE, shaders=library)) as output:
                _, alone = motion(output, name, heard, driven=False)
            rows["inputs"].append(f"{spread:.3f}")
            rows["picture"].append(f"{change:.1f}")
            rows["undriven"].append(f"{alone:.1f}")
        for what, cells in rows.items():
            print(f"| {track.stem} | {what} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
