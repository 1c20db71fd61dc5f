"""The source is changed during the show from each kind to each other, and what is heard is the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lavlive.audio.sources import Source, SourceSpec
from lavlive.engine.source_switch import SourceSwitch
from lavlive.link.messages import EngineEvent, SourceLost, SourceRefused
from tests.support.pulse import PulseServer, pulse_server

pytestmark = pytest.mark.alone

RATE = 48_000
TONES = {"line-in": 420, "loopback": 660, "track": 900, "another track": 1260}
_SECONDS = 12.0


def tone(path: Path, frequency: int, seconds: float) -> Path:
    times = np.arange(round(RATE * seconds)) / RATE
    soundfile.write(path, (0.4 * np.sin(2 * np.pi * frequency * times)).astype(np.float32), RATE)
    return path


def every_ordered_pair(kinds: list[str]) -> list[str]:
    """A walk in which each kind follows each other once: Hierholzer's, in the complete directed graph."""
    left = {kind: [other for other in kinds if other != kind] for kind in kinds}
    path, walk = [kinds[0]], []
    while path:
        if left[path[-1]]:
            path.append(left[path[-1]].pop())
        else:
            walk.append(path.pop())
    return walk[::-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    """Two sinks with a tone each; the line-in hears the one, the other is looped back."""
    folder = tmp_path_factory.mktemp("tones")
    with pulse_server(RATE) as running, ExitStack() as stack:
        running.plug("cable")
        running.control(
            "load-module",
            "module-remap-source",
            "master=cable.monitor",
            "source_name=linein",
            "source_properties=device.description=Line-in",
        )
        for sink, kind in (("stage", "loopback"), ("cable", "line-in")):
            sound = tone(folder / f"{kind}.wav", TONES[kind], 120.0)
            player = running.play(sound, sink)
            stack.callback(player.wait)
            stack.callback(player.kill)
        yield running


def wait_for_tone(switch: SourceSwitch, frequency: int) -> float:
    """Wait until the source gives that tone and nothing else; seconds that it took."""
    began = time.perf_counter()
    heard = np.zeros(0, np.float32)
    found = 0
    while time.perf_counter() < began + _SECONDS:
        switch.step()
        block = switch.source.read()
        if block is not None:
            heard = np.append(heard, block.samples[:, 0])
        if len(heard) >= RATE // 10:
            piece, heard = heard[-RATE // 10 :], np.zeros(0, np.float32)
            assert block is not None
            spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece))))
            found = round(int(spectrum.argmax()) * block.rate / len(piece))
            if spectrum.max() > 10 and abs(found - frequency) <= 10:
                return time.perf_counter() - began
        time.sleep(0.005)
    raise AssertionError(f"{frequency} Hz expected, {found} Hz heard from {switch.source.name}")


def test_each_source_follows_each_other_and_is_heard(server: PulseServer, tmp_path: Path) -> None:
    specs = {
        "line-in": SourceSpec("input", "Line-in"),
        "loopback": SourceSpec("loopback", "Monitor of Stage"),
        **{
            kind: SourceSpec("track", str(tone(tmp_path / f"{kind}.wav", TONES[kind], 2.0)))
            for kind in ("track", "another track")
        },
    }
    walk = every_ordered_pair(list(specs))
    assert len(set(pairwise(walk))) == 12
    told: list[EngineEvent] = []
    opened: list[Source] = []
    switch = SourceSwitch(specs[walk[0]], told.append)
    switch.on_change = opened.append
    switch.start(resumed=False)
    try:
        wait_for_tone(switch, TONES[walk[0]])
        for kind in walk[1:]:
            before = switch.source
            switch.change(specs[kind])
            while switch.source is before:
                time.sleep(0.005)
            wait_for_tone(switch, TONES[kind])
        assert len(opened) == 12
        assert [event for event in told if isinstance(event, SourceRefused | SourceLost)] == []
        assert [source.state for source in opened[:-1]] == ["idle"] * 11, "those before are let go of"
    finally:
        switch.stop()
