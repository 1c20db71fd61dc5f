"""The sound server killed and started again under a running show."""

import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from lavlive.audio.sources import Source, SourceSpec, open_source
from tests.support.pulse import PulseServer, pulse_server
from tests.support.waiting import comes_true

pytestmark = pytest.mark.alone


@pytest.fixture
def server() -> Iterator[PulseServer]:
    with pulse_server(48_000) as running:
        yield running


def hears(source: Source) -> bool:
    return source.state == "running" and source.read() is not None


@pytest.mark.parametrize(
    ("spec", "sign"),
    [(SourceSpec("input", "pulse"), signal.SIGKILL), (SourceSpec("loopback"), signal.SIGTERM)],
)
def test_after_the_server_was_restarted_the_same_device_is_heard_again(server, spec, sign):
    with open_source(spec) as source:
        assert comes_true(lambda: hears(source), 6)
        name = source.name
        server.end(sign)
        assert comes_true(lambda: source.state == "lost", 3)
        server.configure(44_100, 4)
        server.start()
        assert comes_true(lambda: hears(source), 8), "it never came back"
        assert source.name == name
        assert [event.kind for event in source.events()] == ["lost", "running"]
        assert source.losses == 1
        if spec.kind == "loopback":
            assert (source.rate, source.channels) == (44_100, 4)


def test_an_unplugged_device_is_waited_for_and_no_other_is_taken_instead(server):
    server.control("load-module", "module-rescue-streams")  # what desktops use to move streams elsewhere
    server.plug("other")
    server.plug("chosen")
    with open_source(SourceSpec("loopback", "chosen.monitor")) as source:
        assert comes_true(lambda: hears(source), 6)
        server.unplug("chosen")
        assert comes_true(lambda: source.state == "lost", 2)
        while source.read():
            pass
        assert not comes_true(lambda: hears(source), 2.5), "it listens to something else"
        assert source.address == "chosen.monitor"
        server.plug("chosen")
        assert comes_true(lambda: hears(source), 5)
        assert source.address == "chosen.monitor"


def test_a_track_played_aloud_goes_on_silently_without_its_server_and_is_heard_when_it_is_back(
    server, tmp_path
):
    times = np.arange(48_000) / 48_000
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 200 * times), 48_000)
    with open_source(SourceSpec("track", str(tmp_path / "tone.wav"), aloud=True)) as source:
        assert comes_true(lambda: hears(source), 3)
        server.end(signal.SIGKILL)
        time.sleep(0.7)
        source.read()
        assert comes_true(lambda: hears(source), 1), "the pictures have lost their track"
        assert source.state == "running"
        assert "silently" in source.events()[0].text
        server.start()
        player = source._capture
        assert comes_true(lambda: player._speaker is not None, 5), "nobody hears the track again"
        assert comes_true(lambda: hears(source), 3)
