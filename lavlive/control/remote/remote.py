"""The remote as the controls see it: switched on and off, what phones ask for, what they are told.

It is off until somebody asks for it. The server runs in a thread of its own; nothing here waits for it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lavlive.control.actions import Action
from lavlive.control.osc.wishes import SetParameter
from lavlive.control.remote.addresses import url_of
from lavlive.control.remote.desk import Look, Meters, Scene
from lavlive.control.remote.door import Door, parse_place, read_key
from lavlive.control.remote.messages import Left, Nudge, Touched
from lavlive.parameters import TABLE, Values, loaded_parameters, thread_here
from lavlive.resources import shipped

if TYPE_CHECKING:
    from lavlive.control.remote.server import RemoteServer

_PERIOD = 0.04
"""Between two scenes that phones are told."""
_ANYWAY_SECONDS = 0.5
"""Then one is told although nothing moved: so a phone knows that the show is there."""
_QUIET_SECONDS = 10.0
MISSING = "The remote needs websockets: pip install 'lavlive[remote]'."


@dataclass(frozen=True)
class RemoteSettings:
    """What the remote begins with.

    Attributes:
        place: ``PORT`` or ``HOST:PORT`` to listen at, "" for the usual one; None: it is off.
        key_file: what keeps the key; None keeps nothing.
    """

    place: str | None = None
    key_file: Path | None = None


class Remote:
    """Belongs to the main thread.

    Args:
        note: is given each line for the performer; none of them holds the key.

    Attributes:
        place: where it listens, or would if it were switched on: as in `RemoteSettings`.
        wanted: whether it is switched on.

    Raises:
        ControlError: `place` is no place to listen at.
    """

    def __init__(self, settings: RemoteSettings, note: Callable[[str], None]) -> None:
        self.place = settings.place or ""
        self.wanted = settings.place is not None
        self.server: RemoteServer | None = None
        self._ended: list[RemoteServer] = []
        self._opening: threading.Thread | None = None
        self._opened: RemoteServer | str = ""
        self._host, self._port = parse_place(self.place)
        self._key_file = settings.key_file
        self._key = self._told_of_key = ""
        self._note = note
        self._told_urls: tuple[str, ...] = ()
        self._problem, self._refused, self._quiet_until = "", "", float("-inf")
        self._thumbs: defaultdict[str, set[int]] = defaultdict(set)
        self._due = self._tick_due = float("-inf")
        self._tick = 0
        self._scene: Scene | None = None

    def start(self) -> None:
        """Begin to listen, if it is switched on."""
        if self.wanted:
            self.switch(True)

    def switch(self, on: bool) -> None:
        """Let phones in, or send them away."""
        self.wanted = on
        if not on:
            self._end()
        elif self.server is None and self._opening is None:
            # Importing what serves takes longer than a picture may.
            self._opening = thread_here(self._open, "remote opens")
            self._opening.start()

    def close(self) -> None:
        """Stop listening, and wait for the server's end."""
        if self._opening is not None:
            self._opening.join(timeout=5.0)
        self._adopt()
        self._end()
        for server in self._ended:
            server.close()
        self._ended.clear()

    @property
    def urls(self) -> tuple[str, ...]:
        """What a phone may open, the likeliest first; they hold the key. None while nobody listens."""
        server = self.server
        if server is None or not server.port:
            return ()
        return tuple(url_of(address, server.port, self._key) for address in server.found_at)

    @property
    def problem(self) -> str:
        """Why it is switched on and nobody listens, "" where that is not so."""
        return self.server.problem if self.server is not None else ""

    @property
    def phones(self) -> int:
        """How many are connected."""
        return self.server.phones if self.server is not None else 0

    @property
    def stirred(self) -> bool:
        """Whether something has come in that `take` has not handed over."""
        return self.server is not None and len(self.server.inbox) > 0

    # Once a picture

    def take(self) -> list[SetParameter | Nudge | Touched | Action]:
        """What phones want since the last call, in order.

        Of thumbs only that the first came to a parameter, and that the last left it.
        """
        self._adopt()
        wanted: list[SetParameter | Nudge | Touched | Action] = []
        if self.server is None:
            wanted += [Touched(name, on=False) for name in self._thumbs]
            self._thumbs.clear()
            return wanted
        for event in self.server.inbox.drain():
            match event.wish:
                case Touched(name=name, on=True):
                    if not self._thumbs[name]:
                        wanted.append(event.wish)
                    self._thumbs[name].add(event.phone)
                case Touched(name=name):
                    wanted += self._lift(name, event.phone)
                case Left():
                    for name in list(self._thumbs):
                        wanted += self._lift(name, event.phone)
                case SetParameter() | Nudge() | Action() as wish:
                    wanted.append(wish)
        return wanted

    def due(self, now: float) -> bool:
        """Whether phones are to be told something now."""
        return self.server is not None and self.server.phones > 0 and now >= self._due

    def tell(
        self, now: float, values: Values, presets: list[str], look: Look, meters: Callable[[int], Meters]
    ) -> None:
        """Tell phones how everything stands.

        Args:
            meters: makes the meters of a tick; asked for twice a second.
        """
        if self.server is None:
            return
        self._due = now + _PERIOD
        before = self._scene
        measured = before.meters if before is not None else None
        if measured is None or now >= self._tick_due:
            self._tick_due = now + _ANYWAY_SECONDS
            self._tick += 1
            measured = meters(self._tick)
        loaded = loaded_parameters(values.__getitem__)
        scene = Scene(
            (*TABLE, *loaded),
            (*values.numbers.tolist(), *(values.number(parameter.name) for parameter in loaded)),
            tuple(presets),
            look,
            measured,
        )
        self._scene = scene
        if scene != before:
            self.server.show(scene)

    def look(self, now: float) -> None:
        """Tell why nobody listens, and what is refused; a flood of bad messages is told now and then."""
        server = self.server
        if server is None:
            return
        if server.problem != self._problem:
            self._problem = server.problem
            if server.problem:
                self._note(f"{server.problem} The show goes on without it and tries again.")
        if now >= self._quiet_until and server.last_problem != self._refused:
            self._refused, self._quiet_until = server.last_problem, now + _QUIET_SECONDS
            bad = server.counters.refused + server.counters.turned_away
            self._note(f"Remote: {server.last_problem}; {bad} refused so far")

    def new_urls(self) -> tuple[str, ...]:
        """What a phone may open, where that has changed since the last call; for the terminal alone."""
        urls = self.urls
        if not urls or urls == self._told_urls:
            return ()
        self._told_urls = urls
        return urls

    # Inside

    def _end(self) -> None:
        """Have the server end; what thumbs held is let go by the next `take`."""
        server, self.server = self.server, None
        if server is not None:
            server.stop()
            self._ended = [*self._ended[-3:], server]
        self._scene, self._told_urls = None, ()

    def _open(self) -> None:
        """In a thread of its own: make a server that listens, or say why there is none."""
        try:
            from lavlive.control.remote.server import RemoteServer
        except ImportError:
            self._opened = MISSING
            return
        try:
            if not self._key:
                self._key, self._told_of_key = read_key(self._key_file)
            page = (shipped("data") / "remote.html").read_bytes()
            server = RemoteServer(self._host, self._port, Door(self._key, page, self._host))
            server.start()
        except Exception as reason:  # a thread that ended without a word would leave the performer waiting
            self._opened = f"The remote cannot begin: {reason}."
        else:
            self._opened = server

    def _adopt(self) -> None:
        """Take over what `_open` made."""
        if self._opening is None or self._opening.is_alive():
            return
        made, self._opening, self._opened = self._opened, None, ""
        if self._told_of_key:
            self._note(self._told_of_key)
            self._told_of_key = ""
        if isinstance(made, str):
            self.wanted = False
            self._note(made)
            return
        self.server, self._problem = made, ""
        if not self.wanted:
            self._end()

    def _lift(self, name: str, phone: int) -> list[SetParameter | Nudge | Touched | Action]:
        thumbs = self._thumbs.get(name)
        if not thumbs or phone not in thumbs:
            return []
        thumbs.discard(phone)
        if thumbs:
            return []
        del self._thumbs[name]
        return [Touched(name, on=False)]
