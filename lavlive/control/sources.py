"""Which source an action means: the inputs, loopbacks and tracks that a performer can go round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import Action
from lavlive.errors import SourceError

DEFAULT = "default"
"""What an action calls the system's default device."""
_ROUND = ("input", "loopback", "track")


class KnownSources:
    """What this show has listened to: one source of each kind, and every track.

    A message from outside can choose a device, but only a track that the performer chose before: nobody
    else opens files.
    """

    def __init__(self, first: SourceSpec) -> None:
        self._tracks: list[SourceSpec] = []
        self._of_kind = {
            "input": SourceSpec("input"),
            "loopback": SourceSpec("loopback"),
            "track": SourceSpec("demo", aloud=first.aloud, loop=first.loop),
        }
        self._place = ""
        self.note(first)

    def note(self, source: SourceSpec) -> None:
        """The show listens to this now, or tries to."""
        self._place = "track" if source.kind == "demo" else source.kind
        self._of_kind[self._place] = source
        if source.kind == "track" and source not in self._tracks:
            self._tracks.append(source)

    def forget(self, source: SourceSpec) -> None:
        """A track could not be played: it is none to choose, and the one before is the track again."""
        if source in self._tracks:
            self._tracks.remove(source)
            if self._of_kind["track"] == source:
                demo = replace(source, kind="demo", name=None, channels=None)
                self._of_kind["track"] = self._tracks[-1] if self._tracks else demo

    def known(self) -> list[SourceSpec]:
        """The demo track, the tracks of this show, and the devices listened to or the default ones."""
        track = self._of_kind["track"]
        demo = replace(track, kind="demo", name=None, channels=None)
        return [demo, *self._tracks, self._of_kind["input"], self._of_kind["loopback"]]

    def meant_by(self, action: Action) -> SourceSpec:
        """The source that one of the ``source.`` actions asks for.

        Raises:
            SourceError: no track, or more than one, of that name is known.
        """
        match action.name:
            case "source.input" | "source.loopback":
                kind = action.name.removeprefix("source.")
                return replace(
                    self._of_kind[kind],
                    name=None if action.argument == DEFAULT else action.argument,
                    channels=None,
                )
            case "source.track":
                return self._track(action.argument)
            case "source.demo":
                return replace(self._of_kind["track"], kind="demo", name=None)
            case _:
                place = _ROUND.index(self._place)
                return self._of_kind[_ROUND[(place + 1) % len(_ROUND)]]

    def _track(self, name: str) -> SourceSpec:
        wanted = name.lower()
        names = [Path(str(track.name)).name for track in self._tracks]
        found = [track for track, own in zip(self._tracks, names, strict=True) if wanted in own.lower()]
        if len(found) != 1:
            known = ", ".join(names) or "none"
            number = "more than one" if found else "no"
            raise SourceError(f"There is {number} track {name!r} among those of this show: {known}.")
        return found[0]
