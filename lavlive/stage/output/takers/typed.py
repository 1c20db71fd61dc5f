"""The stream whose address is typed during the show."""

from __future__ import annotations

from lavlive.control.settings import LONGEST, Settings
from lavlive.errors import ControlError, OutputError
from lavlive.stage.output.takers.addresses import split_secret, typed_stream, whole_address
from lavlive.stage.output.takers.kinds import stream_spec
from lavlive.stage.output.takers.outlets import Outlet, Outlets


class TypedStream:
    """One stream; another address takes its place. The main thread's.

    Args:
        outlets: what it is one of from its first beginning on.
        settings: where the address is kept for the next show, without its secret.

    Attributes:
        address: as the performer reads it.
        secret: the key, passphrase or path that belongs to it; never shown, never written anywhere.
        problem: why it was not begun, or not kept, in one line; "" otherwise.
    """

    def __init__(self, outlets: Outlets, settings: Settings | None = None) -> None:
        self._outlets = outlets
        self._settings = settings or Settings()
        self._outlet: Outlet | None = None
        self.address = self._settings.chosen.stream
        self.secret = ""
        self.problem = ""

    @property
    def outlet(self) -> Outlet | None:
        """What gives the canvas away, None before the first beginning."""
        return self._outlet

    @property
    def wanted(self) -> bool:
        """Whether it is on, or tries to be."""
        return self._outlet is not None and self._outlet.wanted

    def hide(self) -> None:
        """Take what is secret out of the address."""
        if self.address.rstrip().endswith("/"):  # an application of several parts; the key is still to come
            return
        address, secret = split_secret(self.address)
        if secret:
            self.address, self.secret = address, secret

    def begin(self) -> None:
        """Send the canvas to the address; one that is none is told in `problem`."""
        if self.wanted:
            return
        self.hide()
        whole = whole_address(self.address, self.secret)
        taken = {outlet.spec.name for outlet in self._outlets.all if outlet is not self._outlet}
        names = ("stream" if number == 1 else f"stream {number}" for number in range(1, len(taken) + 2))
        number = next(number for number, name in enumerate(names, start=1) if name not in taken)
        try:
            stream = typed_stream(whole, number)
        except OutputError as error:
            self.problem = str(error)
            return
        self.problem = ""
        if not self.secret or "://" in self.secret:
            self.address, self.secret = split_secret(whole.rstrip("/"))
        self._outlet = self._outlets.put(stream_spec(stream), self._outlet)
        self._outlet.switch(True)
        try:
            self._settings.change(stream=self.address if len(self.address) <= LONGEST else "")
        except ControlError as error:
            self.problem = str(error)

    def end(self) -> None:
        """Send it no more."""
        if self._outlet is not None:
            self._outlet.switch(False)
