"""Real devices in software: a private PulseAudio, its null sink, and what is captured from its monitor."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lavlive.audio import devices
from lavlive.audio.hops import HopCutter
from lavlive.audio.pulse import PulseCapture
from lavlive.audio.sources import Source, SourceSpec, open_source
from lavlive.audio.tracks import Track
from lavlive.errors import SourceError
from tests.support.pulse import MONITOR, PulseServer, pulse_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.alone

RATE = 48_000
SECONDS = 2.0


@pytest.fixture(scope="module")
def server() -> Iterator[PulseServer]:
    with pulse_server(RATE) as running:
        # Someone who listens keeps the null sink awake; else each test waits two seconds for it.
        listener = PulseCapture(MONITOR)
        listener.start()
        yield running
        listener.close()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of notes, no two alike, so that it fits itself in one place only."""
    random = np.random.default_rng(7)
    times = np.arange(RATE // 8) / RATE
    notes = [
        np.sin(2 * np.pi * frequency * times) * np.exp(-6 * times)
        for frequency in random.uniform(100, 900, round(8 * SECONDS))
    ]
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, (0.5 * np.concatenate(notes)).astype(np.float32), RATE)
    return path


def hops_of(path: Path) -> np.ndarray:
    """The song as the encoder hears it offline."""
    cutter = HopCutter()
    with Track(path) as track:
        hops = [hop for block in track.blocks() for hop in cutter.step(block)]
    return np.concatenate([hop.samples for hop in [*hops, *cutter.flush()]])


def listen(source: Source, cutter: HopCutter, seconds: float) -> tuple[np.ndarray, list[float]]:
    """What the encoder would hear for a while, and how old each hop was when it was complete."""
    heard, ages = [], []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        block = source.read()
        for hop in cutter.step(block) if block else []:
            heard.append(hop.samples)
            ages.append(time.perf_counter() - hop.time)
        time.sleep(0.003)
    return np.concatenate([np.zeros(0, np.float32), *heard]), ages


def awake(source: Source, cutter: HopCutter) -> None:
    """Wait until the first sound has come; a null sink that slept takes two seconds."""
    wait_until(lambda: source.ring.written, what=lambda: "the device gave no sound")
    listen(source, cutter, 0.3)


def likeness(heard: np.ndarray, original: np.ndarray) -> float:
    """Largest normalised correlation of the original with any stretch of what was heard."""
    size = 1 << (len(heard) + len(original)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(original, size))
    product = np.fft.irfft(spectrum, size)[: len(heard)]
    best = int(product.argmax())
    stretch = heard[best : best + len(original)]
    return float(product[best] / (np.linalg.norm(stretch) * np.linalg.norm(original)))


@pytest.mark.parametrize("spec", [SourceSpec("input", "pulse"), SourceSpec("loopback", "monitor of st")])
def test_what_the_machine_plays_is_heard_whole_through_a_real_device(server, song, spec):
    source, cutter = open_source(spec), HopCutter()
    with source:
        awake(source, cutter)
        player = server.play(song)
        heard, ages = listen(source, cutter, SECONDS + 1.0)
        assert player.wait(10) == 0
        assert (source.state, source.xruns, source.dropped_samples) == ("running", 0, 0)
    assert likeness(heard, hops_of(song)) > 0.98
    assert len(heard) / 24_000 == pytest.approx(SECONDS + 1.0, abs=0.3)
    assert -0.1 < np.median(ages) < 0.15, "capture times are far from the truth"
    assert cutter.lamps.clipped == cutter.lamps.invalid == 0


def test_a_track_played_aloud_is_heard_by_others_and_by_the_pictures(server, song):
    listener, cutter = open_source(SourceSpec("loopback")), HopCutter()
    player, own_cutter = open_source(SourceSpec("track", str(song), aloud=True, loop=False)), HopCutter()
    original = hops_of(song)
    with listener:
        awake(listener, cutter)
        with player:
            heard, _ = listen(listener, cutter, SECONDS + 1.5)
            own, _ = listen(player, own_cutter, 0.2)
            assert [event.kind for event in player.events()] == ["ended"]
            assert player.xruns == 0
        assert listener.xruns == 0
    assert likeness(heard, original) > 0.98
    assert likeness(own, original) > 0.99


def test_the_listing_shows_what_the_server_has(server):
    assert {device.name for device in devices.list_inputs().devices} >= {"pulse", "default"}
    assert {device.name for device in devices.list_outputs().devices} >= {"pulse", "default"}
    (loopback,) = devices.list_loopbacks().devices
    assert (loopback.name, loopback.id) == ("Monitor of Stage", MONITOR)
    assert (loopback.rate, loopback.channels, loopback.default) == (RATE, 2, True)


@pytest.mark.parametrize("kind", ["input", "loopback"])
def test_an_unknown_device_is_refused_with_a_list_of_what_there_is(server, kind):
    with pytest.raises(SourceError) as refusal:
        open_source(SourceSpec(kind, "theremin")).start()
    assert "theremin" in str(refusal.value)
    assert ("pulse" if kind == "input" else "Monitor of Stage") in str(refusal.value)


_WASAPI = """
import time
import numpy as np
from lavlive.audio import wasapi

(name, channels, default), = wasapi.list_loopbacks()
capture = wasapi.LoopbackCapture(name)
capture.start()
deadline = time.perf_counter() + 8
while capture.ring.written < 4800 and time.perf_counter() < deadline:
    time.sleep(0.02)
block = capture.ring.read()
capture.close()
print(name, channels, capture.tend(0.0), block.rate, block.samples.shape[1], np.isfinite(block.samples).all())
"""


def test_the_loopback_that_windows_uses_records_here_too(server, tmp_path):
    script = tmp_path / "record.py"
    script.write_text(_WASAPI)
    recorded = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30)
    assert recorded.returncode == 0, recorded.stderr
    assert recorded.stdout.split() == ["Monitor", "of", "Stage", "2", "None", "48000", "2", "True"]
