"""Drives in a live show and in a rendering: the same sound gives the same values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from lavlive.audio.block import Block
from lavlive.audio.sources import Source
from lavlive.audio.tracks import read_track
from lavlive.commands.render import heard_of
from lavlive.control.beat.tempo import BeatState
from lavlive.control.looks.drives import SOURCES, Drive, Heard
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.engine.latent_worker import LatentWorker
from lavlive.engine.mailbox import Mailbox
from lavlive.engine.offline import latents_of
from lavlive.link.memory import SharedBlock
from lavlive.parameters import Values, joined
from lavlive.resources import shipped
from lavlive.show.hearing import Hearing
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots
from tests.support.sound_files import encode
from tests.test_path import path_over

SECONDS = 1.5
RATE = 24_000
DRIVEN = [
    *(f"fx1.feedback.{name}" for name in ("amount", "zoom", "turn", "hue", "decay", "drift")),
    *(f"fx2.bloom.{name}" for name in ("amount", "threshold", "spread")),
]
BEAT = BeatState(120.0, 0.0, "none")


@pytest.fixture
def looks() -> Iterator[Looks]:
    with joined(Slots(ShaderLibrary([shipped("shaders") / "isf"]))):
        made = Looks(Values({"fx1.shader": "feedback", "fx2.shader": "bloom"}), PresetLibrary(None, None))
        for place, (name, source) in enumerate(zip(DRIVEN, SOURCES, strict=True)):
            made.drive(Drive(name, source, 0.35 if place % 2 else -0.35, seed=place))
        yield made


def music() -> np.ndarray:
    """Chords that change and drums, float32 [frames, 1]."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * f * (1 + (time > 0.7) / 3) * time) for f in (220.0, 277.2, 329.6))
    drums = np.random.default_rng(3).normal(size=len(time)) * np.exp(-((time * 4) % 1) * 12)
    return (0.12 * chord + 0.2 * drums).astype(np.float32)[:, None]


class Played:
    """A source that gives a track as it would come from a device, a hop at a time."""

    rate, channels, xruns, dropped_samples = RATE, 1, 0, 0

    def __init__(self, sound: np.ndarray, hop: int) -> None:
        pieces = range(0, len(sound), hop)
        self.blocks = [Block(sound[at : at + hop], RATE, (at + hop) / RATE) for at in pieces]

    def hear(self, pick: object) -> None:
        """It has one channel only."""

    def read(self) -> Block | None:
        return self.blocks.pop(0) if self.blocks else None


def test_live_and_render_move_the_same_within_a_hundred_thousandth(looks: Looks, tmp_path: Path) -> None:
    """Through the worker, the link and the stage; and through the renderer's latents of the same file."""
    latents = np.random.default_rng(1).standard_normal((200, 128))
    file = tmp_path / "music.wav"
    encode(file, music(), RATE, "pcm_f32le", layout="mono")
    live: list[Heard] = []
    path, _ = path_over(latents)
    with read_track(file) as track:
        sound = track.read(track.frames)
    with read_track(file) as track:
        rendered = [heard_of(latent) for _, latent in latents_of(track, path, looks.values)]
    other, encoder = path_over(latents)
    with SharedBlock.create() as link:
        link.write_parameters(looks.values.numbers, 1)
        worker = LatentWorker(link, other, cast(Source, Played(sound, encoder.hop)), Mailbox())
        hearing = Hearing(link)
        before = link.number("latent.hops")
        while worker._work():
            if link.number("latent.hops") > before:
                before = link.number("latent.hops")
                live.append(hearing.step(len(live) / 75))
    count = min(len(live), len(rendered))
    assert count > 0.9 * SECONDS * 75
    moved = []
    for side in (live, rendered):
        numbers = [looks.loaded_numbers(BEAT, heard, 0.0) for heard in side[:count:3]]
        moved.append([[each[name] for name in DRIVEN] for each in numbers])
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-5, rtol=0)
    assert (np.std(moved[1], axis=0) > 1e-3).all(), "every source moves what it drives"
