"""A track to a video file, through the same path as the show, without clocks."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from lavlive.audio.hops import HopCutter
from lavlive.audio.tracks import Track, read_track
from lavlive.cli import parse_size
from lavlive.errors import UsageError
from lavlive.latent.path import Latent, LatentPath
from lavlive.latent_worker import TimedLatent
from lavlive.link import Picture
from lavlive.loading import load_model, load_path, open_log
from lavlive.look import initial_values
from lavlive.parameters import Values
from lavlive.picture_worker import Model
from lavlive.stage.output import OutputSettings, open_output
from lavlive.stage.video import VideoWriter

_BLOCK_SECONDS = 0.02


def latents_of(track: Track, path: LatentPath, values: Values) -> Iterator[tuple[float, Latent]]:
    """Every hop's latent with the time, in seconds from the track's start, of its newest sample."""
    cutter = HopCutter(path.encoder.hop, path.encoder.sample_rate)
    for block in track.blocks(max(1, round(track.rate * _BLOCK_SECONDS))):
        for hop in cutter.step(block):
            yield hop.time, path.step(hop.samples, values.numbers)
    for hop in cutter.flush():
        yield hop.time, path.step(hop.samples, values.numbers)


def run_render(options: argparse.Namespace) -> int:
    """The command ``lavlive render``."""
    if not 1 <= options.fps <= 120:
        raise UsageError(f"--fps takes 1 to 120, not {options.fps:g}.")
    if options.seconds is not None and not options.seconds > 0:
        raise UsageError(f"--seconds takes a time above 0, not {options.seconds:g}.")
    size = parse_size(options.size)
    values = initial_values(options.preset, options.settings)
    target = Path(options.output)
    if target.suffix.lower() != ".mp4":
        raise UsageError(f"The video is an mp4 file: write -o {target.with_suffix('.mp4')}.")
    with contextlib.ExitStack() as stack:
        track = stack.enter_context(read_track(options.track))
        model, notes = load_model(options.model, options.runner)
        stack.callback(model.close)
        path = load_path(options.encoder, options.learned)
        for note in [*notes, *untrained_notice(model, path)]:
            print(f"lavlive: {note}", file=sys.stderr)
        latents = latents_of(track, path, values)
        if options.log_w:
            latents = _logged(latents, stack.enter_context(open_log(options.log_w)), model)
        seconds = min(track.seconds, options.seconds or track.seconds)
        channels = min(track.channels, 2)
        video = stack.enter_context(VideoWriter(target, *size, options.fps, track.rate, channels))
        output = stack.enter_context(open_output("headless", OutputSettings(canvas=size)))
        sound = _SoundTrack(stack.enter_context(read_track(options.track)), video, channels)
        clip = _Clip(latents)
        pictures = round(seconds * options.fps)
        for index in tqdm(range(pictures), unit="picture", desc=target.name, disable=None):
            now = index / options.fps
            # A picture follows the sound up to the middle of its time on the screen.
            timed = TimedLatent(clip.newest(now + 0.5 / options.fps), now, now, 0)
            output.present(Picture(model.picture(timed).copy(), index + 1, now, now, 0), values, now)
            video.picture(output.read_canvas())
            sound.copy_until(min(now + 1 / options.fps, seconds))
        clip.finish()
    print(f"{target}: {pictures} pictures, {seconds:.1f} s")
    return 0


def untrained_notice(model: Model, path: LatentPath) -> list[str]:
    """A line for each of model and encoder that was never trained."""
    parts = [("generator", model.trained, model.name), ("encoder", path.encoder.trained, path.encoder.name)]
    return [f"The {kind} {name} is untrained: a placeholder." for kind, trained, name in parts if not trained]


def _logged(
    latents: Iterator[tuple[float, Latent]], file: BinaryIO, model: Model
) -> Iterator[tuple[float, Latent]]:
    space = model.space(0)
    for time, latent in latents:
        file.write(space.w_plus(latent.deviation, latent.truncation).tobytes())
        yield time, latent


class _Clip:
    """Latents in their order, asked for by time."""

    def __init__(self, latents: Iterator[tuple[float, Latent]]) -> None:
        self._latents = latents
        first = next(latents, None)
        if first is None:
            raise UsageError("The track is shorter than one step of the encoder (14 ms).")
        self._newest = first[1]
        self._next = next(latents, None)

    def newest(self, until: float) -> Latent:
        """The newest latent that heard nothing after `until`; the first one before that."""
        while self._next is not None and self._next[0] <= until:
            self._newest = self._next[1]
            self._next = next(self._latents, None)
        return self._newest

    def finish(self) -> None:
        """Run the rest of the path."""
        for _ in self._latents:
            pass


class _SoundTrack:
    """Copies a track's sound into a video, in step with its pictures."""

    def __init__(self, track: Track, video: VideoWriter, channels: int) -> None:
        self._track = track
        self._video = video
        self._channels = channels
        self._copied = 0

    def copy_until(self, time: float) -> None:
        """Copy what is missing up to `time` seconds."""
        frames = round(time * self._track.rate) - self._copied
        if frames > 0:
            samples = self._track.read(frames)[:, : self._channels]
            self._video.sound(np.nan_to_num(samples))
            self._copied += frames
