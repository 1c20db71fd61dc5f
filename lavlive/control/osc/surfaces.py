"""Touch surfaces as the controls see them: server, sender, learned addresses, and a port that is taken."""

from __future__ import annotations

import time
from collections.abc import Callable

from lavlive.control.actions import Action
from lavlive.control.osc.bindings import OscBinding, OscBindings
from lavlive.control.osc.learn import OscLearn
from lavlive.control.osc.send import OscSender
from lavlive.control.osc.server import OscServer, OscSettings, OscUnavailable
from lavlive.control.osc.wishes import AskTable, Foreign, SetParameter
from lavlive.errors import ControlError
from lavlive.parameters import Values

_AGAIN_SECONDS = 5.0
"""Between two tries to listen on a port that somebody else has."""
_QUIET_SECONDS = 10.0
"""Between two lines about messages that are refused."""
_ALREADY_ARRIVING_SECONDS = 1.0
"""What came within this time before learn began is no hand that follows it."""


class Surfaces:
    """Belongs to the main thread; everything works without a network.

    Args:
        settings: where to listen and whom to tell; None does neither.
        bindings: what addresses of the surfaces' own do.
        note: is given each line for the performer.

    Attributes:
        server: what listens, None while it cannot or is not asked to.
        bindings: see above.

    Raises:
        ControlError: the address cannot be listened on although it is required, or other settings are
            wrong.
    """

    def __init__(
        self, settings: OscSettings | None, bindings: OscBindings, note: Callable[[str], None]
    ) -> None:
        self.server: OscServer | None = None
        self.sender: OscSender | None = None
        self.bindings = bindings
        self._settings = settings
        self._note = note
        self._learn: OscLearn | None = None
        self._again: float | None = None
        self._problem, self._quiet_until = "", float("-inf")
        for line in (*bindings.held, *([str(bindings.refused)] if bindings.refused is not None else [])):
            note(line)
        if settings is None:
            return
        try:
            self._open(settings)
        except OscUnavailable as reason:
            if settings.required:
                raise
            note(f"{reason} The show goes on without OSC and tries again.")
        if settings.warning is not None:
            note(settings.warning)

    def start(self) -> None:
        """Begin to listen."""
        if self.server is not None:
            self.server.start()

    def close(self) -> None:
        """Stop listening."""
        if self.server is not None:
            self.server.close()

    @property
    def stirred(self) -> bool:
        """Whether something has come in that `take` has not handed over."""
        return self.server is not None and len(self.server.inbox) > 0

    def take(
        self, now: float, values: Values, presets: Callable[[], list[str]]
    ) -> list[SetParameter | Action]:
        """What surfaces want of the show since the last call; questions are answered here."""
        self._try_again(now)
        if self.server is None or self.sender is None:
            return []
        wanted: list[SetParameter | Action] = []
        for event in self.server.inbox.drain():
            self.sender.take(event, now)
            match event.wish:
                case SetParameter() | Action() as wish:
                    wanted.append(wish)
                case Foreign(arguments=arguments) if self._learn is not None:
                    self._learn.take(event.address, arguments, event.time)
                case AskTable():
                    self.sender.answer_table(event.sender, now, values, presets())
        return wanted

    def tell(self, now: float, values: Values, preset: str) -> None:
        """Tell surfaces what changed."""
        if self.sender is not None:
            self.sender.step(now, values, preset)

    def look(self, now: float) -> None:
        """Tell what messages are refused for; a flood of bad ones is told now and then."""
        server = self.server
        if server is None or now < self._quiet_until or server.last_problem == self._problem:
            return
        self._problem, self._quiet_until = server.last_problem, now + _QUIET_SECONDS
        self._note(f"OSC: {self._problem}; {server.counters.bad} messages refused so far")

    # Learn

    def learn(self, target: str | Action) -> None:
        """Hear every address, until one is meant for a parameter or an action."""
        if self.server is None:
            return
        since = time.perf_counter() - _ALREADY_ARRIVING_SECONDS
        arriving = [address for address, last in list(self.server.others.items()) if last > since]
        self._learn = OscLearn(target, arriving)
        self.server.learning = True

    def cancel_learn(self) -> None:
        """Stop waiting for an address."""
        self._learn = None
        if self.server is not None:
            self.server.learning = False

    def learned(self, now: float) -> OscBinding | None:
        """What was meant, once that is clear."""
        return self._learn.result(now) if self._learn is not None else None

    def bind(self, binding: OscBinding) -> None:
        """Add a binding and keep it.

        Raises:
            ControlError: the file cannot be written; the binding is at work all the same.
        """
        try:
            self.bindings.bind(binding)
        finally:
            self._share()

    def unbind(self, target: str | Action) -> None:
        """Take every address off a parameter or an action.

        Raises:
            ControlError: the file cannot be written; the addresses are off all the same.
        """
        try:
            self.bindings.unbind(target)
        finally:
            self._share()

    # Inside

    def _open(self, settings: OscSettings) -> None:
        server = OscServer(settings)
        try:
            self.sender = OscSender(server.socket, settings.send, self.bindings)
        except ControlError:
            server.close()
            raise
        self.server = server
        self._share()

    def _try_again(self, now: float) -> None:
        if self.server is not None or self._settings is None:
            return
        if self._again is None:
            self._again = now + _AGAIN_SECONDS
        if now < self._again:
            return
        self._again = now + _AGAIN_SECONDS
        try:
            self._open(self._settings)
        except OscUnavailable:
            return
        except ControlError as reason:
            self._note(str(reason))
            return
        self.start()
        host, port = self._settings.host, self._settings.port
        self._note(f"OSC is heard on {host}:{port} now")

    def _share(self) -> None:
        if self.server is not None:
            self.server.learned = self.bindings.by_address()
