"""The assist with a real latent path in the loop: real sound, and a clock that counts hops."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lavlive.audio.tracks import read_track
from lavlive.diagnosis.assist import HANDS_OFF_SECONDS, MENDED, SPEED, Assist
from lavlive.diagnosis.meters import Diagnosis
from lavlive.diagnosis.signs import Signature, Signs, excesses, verdict, worst
from lavlive.encoder.calibration import calibrate
from lavlive.encoder.weights import load_encoder
from lavlive.engine.offline import hops_of
from lavlive.latent.features import FeatureExtractor, Features
from lavlive.latent.path import LatentPath
from lavlive.latent.programme import LatentStatistics
from lavlive.latent.space import WDistribution
from lavlive.parameters import INDEX, TABLE, Values
from lavlive.resources import shipped

RATE = 75.0
ONE_HOP = 320 / 24_000


@dataclass
class Recording:
    """A stretch of the demo as the encoder and the ear hear it, played round and round."""

    embeddings: np.ndarray
    features: list[Features]
    calibration: LatentStatistics


class Replay:
    """Stands in for encoder and ear, so that minutes take seconds."""

    sample_rate, hop, dimension = 24_000, 320, 128
    name, trained, hash = "replay", True, ""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._hop = 0
        self.ear = Ear(recording)

    def step(self, samples: np.ndarray) -> np.ndarray:
        self._hop += 1
        newest: np.ndarray = self._recording.embeddings[(self._hop - 1) % len(self._recording.embeddings)]
        return newest[None]

    def reset(self) -> None:
        self._hop = 0


class Ear:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._hop = 0

    def step(self, samples: np.ndarray) -> Features:
        self._hop += 1
        return self._recording.features[(self._hop - 1) % len(self._recording.features)]


@pytest.fixture(scope="module")
def recording() -> Recording:
    encoder = load_encoder("bundled")
    ear = FeatureExtractor()
    embeddings, features = [], []
    with read_track(str(shipped("data") / "demo.ogg")) as track:
        for hop in hops_of(track, encoder):
            embeddings.append(encoder.step(hop.samples)[-1].copy())
            features.append(ear.step(hop.samples))
            if len(embeddings) == 1500:
                break
    return Recording(np.array(embeddings), features, calibrate(encoder))


class Stage:
    """Knobs, assist, path and meters joined as in a show; `play` lets its clock run."""

    def __init__(self, recording: Recording, settings: Mapping[str, object]) -> None:
        replay = Replay(recording)
        self.values = Values({"assist.on": True, **settings})
        self.assist = Assist()
        encoder: Any = replay
        self.path = LatentPath(encoder, recording.calibration, listener=replay.ear)
        own = np.linalg.norm(np.random.default_rng(1).standard_normal((4000, 512)), axis=1) / np.sqrt(512)
        self.meters = Diagnosis(
            RATE, WDistribution(np.eye(512, dtype=np.float32), np.quantile(own, np.linspace(0, 1, 501)))
        )
        self.signs: Signs
        self.numbers = self.values.numbers.copy()
        self.hops = 0
        self._begin()

    def _begin(self) -> None:
        latent = self.path.step(np.zeros(320, np.float32), self.values.numbers)
        self.signs = self.meters.step(latent)

    def play(self, seconds: float) -> Iterator[np.ndarray]:
        for _ in range(round(seconds * RATE)):
            self.hops += 1
            numbers = self.assist.step(self.values.numbers, self.values.numbers, self.signs, self.hops / RATE)
            self.numbers = numbers
            self.signs = self.meters.step(self.path.step(np.zeros(320, np.float32), numbers))
            yield numbers

    def run(self, seconds: float) -> set[Signature]:
        for _ in self.play(seconds):
            pass
        return {finding.signature for finding in verdict(self.signs)}


STATIC = {"mapper.y": 0.05}
JITTER = {f"smoothing.{group}": ONE_HOP for group in ("coarse", "middle", "fine")}
LAG = {"mapper.y": 1.5} | {f"smoothing.{group}": 1.2 for group in ("coarse", "middle", "fine")}
GLITCH = {"mapper.y": 4.0, "mapper.c": 1.0}


@dataclass
class Played:
    """A minute and more of a provoked show with the assist on.

    Attributes:
        numbers: the parameters of every hop, [hops, parameters].
        signs: of the end of every second.
        stage: at the end; nobody lets it go on but a copy.
    """

    stage: Stage
    numbers: np.ndarray
    signs: list[Signs]

    def at(self, seconds: float, name: str) -> float:
        return float(self.numbers[round(seconds * RATE) - 1, INDEX[name]])

    def positions(self, seconds: float, name: str) -> list[float]:
        """Of a knob, 0 to 1, from the start until then."""
        numbers = self.numbers[: round(seconds * RATE), INDEX[name]]
        return [TABLE[INDEX[name]].to_unit(float(number)) for number in numbers]


_PROVOKED = {
    Signature.STATIC: (STATIC, 60.0),
    Signature.JITTER: (JITTER, 60.0),
    Signature.LAG: (LAG, 60.0),
    Signature.GLITCH: (GLITCH, 90.0),
}
"""What provokes each failure, and the seconds within which it is cured."""


@pytest.fixture(scope="module")
def played(recording: Recording) -> Callable[[Signature], Played]:
    """The show of a failure, played once for all that is asked of it."""

    @functools.cache
    def play(signature: Signature) -> Played:
        provocation, patience = _PROVOKED[signature]
        stage = Stage(recording, provocation)
        numbers, signs = [], []
        for hop, each in enumerate(stage.play(patience), start=1):
            numbers.append(each.copy())
            if hop % round(RATE) == 0:
                signs.append(stage.signs)
        return Played(stage, np.array(numbers), signs)

    return play


@pytest.mark.parametrize("signature", list(_PROVOKED))
def test_each_failure_is_named_alone_and_then_cured(
    recording: Recording, played: Callable[[Signature], Played], signature: Signature
) -> None:
    unhelped = Stage(recording, {**_PROVOKED[signature][0], "assist.on": False})
    assert unhelped.run(15.0) == {signature}
    helped = copy.deepcopy(played(signature).stage)
    for _ in range(4):
        assert helped.run(5.0) == set()


def test_a_look_that_is_well_is_left_alone(recording: Recording) -> None:
    stage = Stage(recording, {})
    assert all(np.array_equal(numbers, stage.values.numbers) for numbers in stage.play(30.0))
    assert stage.assist.revision == 0


def test_it_moves_too_slowly_to_be_seen(played: Callable[[Signature], Played]) -> None:
    steps = np.abs(np.diff(played(Signature.JITTER).positions(25.0, "smoothing.fine")))
    assert 0 < steps.max() <= SPEED / RATE * 1.01


def test_a_knob_that_is_turned_belongs_to_the_hand(played: Callable[[Signature], Played]) -> None:
    stage = copy.deepcopy(played(Signature.STATIC).stage)
    assert stage.numbers[INDEX["mapper.y"]] > 0.1
    stage.values.set("mapper.y", 0.02)
    stage.run(HANDS_OFF_SECONDS - 1.0)
    assert stage.numbers[INDEX["mapper.y"]] == 0.02
    stage.run(5.0)
    assert stage.numbers[INDEX["mapper.y"]] > 0.02


def test_the_knobs_own_values_are_never_moved(played: Callable[[Signature], Played]) -> None:
    for signature, (provocation, _) in _PROVOKED.items():
        stage = played(signature).stage
        assert np.array_equal(stage.values.numbers, Values({"assist.on": True, **provocation}).numbers)
        assert stage.assist.revision > 0


def test_switched_off_it_lets_go_without_a_jump(played: Callable[[Signature], Played]) -> None:
    stage = copy.deepcopy(played(Signature.STATIC).stage)
    stage.values.set("assist.on", False)
    y = TABLE[INDEX["mapper.y"]]
    positions = [y.to_unit(float(numbers[INDEX["mapper.y"]])) for numbers in stage.play(15.0)]
    assert positions[0] != positions[-1]
    assert np.abs(np.diff(positions)).max() < 0.001
    assert np.array_equal(stage.numbers, stage.values.numbers)


def test_it_is_off_unless_asked_for() -> None:
    assert Values()["assist.on"] is False


def test_what_was_named_is_mended_well_below_its_threshold(played: Callable[[Signature], Played]) -> None:
    signs = played(Signature.JITTER).signs[-1]
    assert worst(Signature.JITTER, excesses(signs)[Signature.JITTER])[0] < MENDED + 0.05


def test_glitches_take_the_leak_back_too(played: Callable[[Signature], Played]) -> None:
    glitch = played(Signature.GLITCH)
    assert glitch.at(30.0, "mapper.c") < 0.85
    assert glitch.at(30.0, "mapper.y") < 3.5
