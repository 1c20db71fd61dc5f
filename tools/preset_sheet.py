"""Draws the presets over tracks as a contact sheet: python -m tools.preset_sheet TRACK… -o docs/presets.jpg

A row for each preset, a column for each track. Sound is heard for --seconds up to --at; for the last --drawn
of them pictures are made and drawn as in `render`: the last at --size, those before at a quarter of it, from
which the effects' trails live on.

    --presets NAME…   some of them
    --stills FOLDER   every picture at full size, JPEG
    --keep FOLDER     generators' pictures are kept there, and taken from there where only effects changed
    --moments         instead of tracks: three moments of the first track, half a second apart, to see motion
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lavlive.audio.tracks import read_track
from lavlive.control.beat.tempo import Tempo
from lavlive.control.controls import CanvasValues
from lavlive.control.looks.drives import Heard
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.starting import initial_looks, initial_model, preset_library
from lavlive.engine.loading import load_model, load_path
from lavlive.engine.offline import latents_of
from lavlive.engine.picture_worker import Model
from lavlive.link.contents import Picture
from lavlive.stage.canvas.canvas import Canvas
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.isf.sound import SoundView
from lavlive.stage.canvas.offscreen import offscreen_context
from lavlive.stage.canvas.slots import open_shaders
from tools.typed import size

RATE = 15
FULL_PICTURES = 2
"""So many at full size before the one that is kept."""
THUMBNAIL = (384, 216)
LABEL = 110
HEARD = ("deviation", "onset", "spectrum", "chroma")


class Drawer:
    """Draws presets; models are loaded once."""

    def __init__(self, options: argparse.Namespace, shaders: ShaderLibrary) -> None:
        self._size: tuple[int, int] = options.size
        self._options = options
        self._shaders = shaders
        self._models: dict[str | None, Model] = {}

    def pictures(self, preset: str, track_file: Path, moments: int) -> list[np.ndarray]:
        """The last picture and those half a second before, oldest first: uint8 [H, W, 3]."""
        options = self._options
        looks = initial_looks(preset, {})
        clip = self._clip(looks, initial_model(preset, None), track_file)
        small = self._size[0] // 4, self._size[1] // 4
        context = offscreen_context()  # of its own, so that its memory goes with it
        canvas = Canvas(context, small, self._shaders)
        sound, tempo = SoundView(), Tempo()
        kept: list[np.ndarray] = []
        begin = max(options.at - options.seconds, 0.0)
        with read_track(track_file) as track:
            track.seek(round((begin + options.seconds - options.drawn - 0.2) * track.rate))
            count = len(clip["pictures"])
            for index in range(count):
                now = index / RATE
                block = track.read(round(track.rate / RATE))
                sound.take(np.nan_to_num(block) @ track.mix, track.rate)
                sound.step(1 / RATE)
                heard = Heard(*(clip[part][index] for part in HEARD))
                moved = {**looks.loaded_numbers(tempo.state(now), heard, now)}
                left = count - 1 - index
                wanted = left % (RATE // 2) == 0 and left // (RATE // 2) < moments
                if wanted or left < FULL_PICTURES:
                    canvas.resize(self._size)
                picture = Picture(clip["pictures"][index], index + 1, now, now, 0)
                canvas.draw(picture, CanvasValues(looks.values, looks.values, moved), now, sound)
                if wanted:
                    kept.append(canvas.read().copy())
        for problem in canvas.rack.problems.values() if canvas.rack is not None else ():
            print(f"{preset}: {problem}", file=sys.stderr)
        canvas.close()
        context.release()
        return kept

    def _clip(self, looks: Looks, name: str | None, track_file: Path) -> Mapping[str, np.ndarray]:
        """Pictures of the generator and what drives hear with each, made or kept from before."""
        options = self._options
        asked = repr((looks.values.numbers.tolist(), name, track_file.name, options.at, options.seconds))
        asked += str(options.drawn)
        file = (options.keep or Path()) / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.npz"
        if options.keep is not None and file.exists():
            with np.load(file) as kept:
                return dict(kept)
        if name not in self._models:
            self._models[name] = load_model(name, aspect=16 / 9)[0]
        model = self._models[name]
        path = load_path("bundled", None, model.runner.w_dim, "cpu")
        found: dict[str, list[np.ndarray]] = {part: [] for part in ("pictures", *HEARD)}
        begin = max(options.at - options.seconds, 0.0)
        with read_track(track_file) as track:
            track.seek(round(begin * track.rate))
            latents = latents_of(track, path, looks.values)
            time_of, latent = next(latents)
            for index in range(round(options.drawn * RATE)):
                until = begin + options.seconds - options.drawn + index / RATE
                while time_of <= until:
                    time_of, latent = next(latents)
                found["pictures"].append(model.picture(latent).copy())
                features = latent.features
                parts = (latent.deviation, features.onset, features.spectrum, features.chroma)
                for part, value in zip(HEARD, parts, strict=True):
                    found[part].append(np.array(value))
        clip = {part: np.stack(values) for part, values in found.items()}
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            np.savez(file, **clip)  # type: ignore[arg-type]
        return clip


def sheet(rows: list[tuple[str, list[np.ndarray]]], titles: list[str]) -> Image.Image:
    """Rows of pictures with their names."""
    width, height = THUMBNAIL
    head = 18
    made = Image.new("RGB", (LABEL + width * len(titles), head + height * len(rows)), (12, 12, 14))
    pen = ImageDraw.Draw(made)
    for column, title in enumerate(titles):
        pen.text((LABEL + column * width + 6, 3), title, fill=(200, 200, 200))
    for row, (name, pictures) in enumerate(rows):
        pen.text((6, head + row * height + 6), name, fill=(220, 220, 220))
        for column, pixels in enumerate(pictures):
            thumbnail = Image.fromarray(pixels).resize(THUMBNAIL, Image.Resampling.LANCZOS)
            made.paste(thumbnail, (LABEL + column * width, head + row * height))
    return made


def names(chosen: list[str] | None) -> Iterator[str]:
    """The presets that ship, or those that were named, in the order of their keys."""
    for preset in preset_library().all():
        if not chosen or preset.name.lower() in [name.lower() for name in chosen]:
            yield preset.name


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tracks", nargs="+", type=Path)
    parser.add_argument("--presets", nargs="+")
    parser.add_argument("--size", type=size, default="1920x1080")
    parser.add_argument("--at", type=float, default=60.0, help="seconds from the track's start")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--drawn", type=float, default=2.4)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--stills", type=Path)
    parser.add_argument("--moments", action="store_true")
    parser.add_argument("-o", dest="out", type=Path, required=True)
    options = parser.parse_args()
    with open_shaders() as shaders:
        _draw(options, Drawer(options, shaders))
    return 0


def _draw(options: argparse.Namespace, drawer: Drawer) -> None:
    rows = []
    for name in names(options.presets):
        began = time.perf_counter()
        if options.moments:
            pictures = drawer.pictures(name, options.tracks[0], 3)
        else:
            pictures = [drawer.pictures(name, track, 1)[0] for track in options.tracks]
        rows.append((name, pictures))
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        titles = [path.stem for path in options.tracks]
        if options.moments:
            titles = ["-1 s", "-0.5 s", f"{options.tracks[0].stem}, {options.at:g} s"]
        if options.stills is not None:
            options.stills.mkdir(parents=True, exist_ok=True)
            for title, pixels in zip(titles, pictures, strict=True):
                file = options.stills / f"{name.lower().replace(' ', '-')}-{title}.jpg"
                Image.fromarray(pixels).save(file, quality=88)
        sheet(rows, titles).save(options.out, quality=82, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
