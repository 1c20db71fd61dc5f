"""Which source the key S, a binding or an OSC message chooses, and who may open which file."""

from __future__ import annotations

import pytest

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import Action
from lavlive.control.sources import KnownSources
from lavlive.errors import SourceError

MIXER = SourceSpec("input", "Mixer", channels="3,4")
SONG = SourceSpec("track", "/music/Long Song.wav", aloud=True, loop=False)


def gone_round(first: SourceSpec, steps: int) -> list[SourceSpec]:
    sources, heard = KnownSources(first), []
    for _ in range(steps):
        heard.append(sources.meant_by(Action("source.next")))
        sources.note(heard[-1])
    return heard


def test_next_goes_round_and_comes_back_to_what_the_show_began_with() -> None:
    assert gone_round(MIXER, 3) == [SourceSpec("loopback"), SourceSpec("demo"), MIXER]
    assert gone_round(SONG, 3) == [SourceSpec("input"), SourceSpec("loopback"), SONG]


def test_next_passes_a_source_that_was_refused() -> None:
    sources = KnownSources(MIXER)
    refused = sources.meant_by(Action("source.next"))
    sources.note(refused)  # the engine goes on with the mixer, but the performer wants the one after
    assert sources.meant_by(Action("source.next")).kind == "demo"


def test_a_device_is_chosen_by_name_or_as_the_default() -> None:
    sources = KnownSources(MIXER)
    assert sources.meant_by(Action("source.input", "Scarlett")) == SourceSpec("input", "Scarlett")
    assert sources.meant_by(Action("source.loopback", "default")) == SourceSpec("loopback")


def test_only_tracks_of_this_show_can_be_asked_for() -> None:
    sources = KnownSources(SONG)
    assert sources.meant_by(Action("source.track", "long")) == SONG
    with pytest.raises(SourceError, match=r"no track '/etc/passwd'.*Long Song\.wav"):
        sources.meant_by(Action("source.track", "/etc/passwd"))
    sources.note(SourceSpec("track", "/music/another song.wav"))
    with pytest.raises(SourceError, match="more than one"):
        sources.meant_by(Action("source.track", "song"))


def test_the_demo_is_played_as_the_track_was() -> None:
    assert KnownSources(SONG).meant_by(Action("source.demo")) == SourceSpec("demo", aloud=True, loop=False)
