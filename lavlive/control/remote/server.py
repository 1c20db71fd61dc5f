"""The server behind the phones' page: one thread with a loop of its own, that the show never waits for.

    phone ── messages ──► bucket, read, understand ──► inbox ──► the show's thread, once a picture
    phone ◄── what it has not been told of ──── the newest scene ◄── the show's thread

Of what is told only the newest counts: there is no queue. A phone that does not read is left, one that floods
is read more slowly, and at most so many are let in.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from lavlive.control.events import Inbox
from lavlive.control.remote.addresses import own_addresses
from lavlive.control.remote.desk import Clerk, Scene, Told
from lavlive.control.remote.door import Admitted, Door
from lavlive.control.remote.limits import Bucket
from lavlive.control.remote.messages import LONGEST, Do, Left, Refused, RemoteEvent, Wish, read, understand
from lavlive.parameters import thread_here

MOST_PHONES = 8
_MOST_CONNECTIONS = 32
"""With those that ask for the page, or for nothing."""
_MOST_FROM_ONE = 12
"""Of these, from one address: nobody keeps the others out."""
_INBOX = 512
_SEND_BUFFER = 1 << 16
_WRITE_LIMIT = 1 << 12
"""Bytes that wait for the network: more of them would be older than what there is to tell."""
_ADDRESSES_SECONDS = 10.0
_END_SECONDS = 0.3
_AT_FIRST_SECONDS = 1.0
_TOO_MANY, _REPLACED, _NONSENSE = 1013, 4001, 1008


@dataclass(frozen=True)
class Patience:
    """How long the server waits for others, in seconds, and what it takes of them.

    Attributes:
        ping: between two pings of a phone.
        pong: for its answer.
        send: for its network to take a message.
        goodbye: for the answer to its own goodbye.
        opening: for a request to be asked.
        again: between two tries to listen where somebody else does.
        messages, burst: of a phone, a second and at once.
        actions, actions_burst: the same of actions, which may cost more than a value.
        bad: messages that cannot be used, before a phone is sent away.
    """

    ping: float = 4.0
    pong: float = 6.0
    send: float = 5.0
    goodbye: float = 2.0
    opening: float = 5.0
    again: float = 5.0
    messages: float = 200.0
    burst: float = 400.0
    actions: float = 10.0
    actions_burst: float = 20.0
    bad: int = 50


@dataclass
class Counters:
    """What has happened so far; every number only grows.

    Attributes:
        accepted: messages that were understood.
        refused: messages that cannot be used.
        slowed: messages after which a phone had to wait.
        turned_away: requests without the key, from elsewhere, or for what is not there.
        left: phones that went.
    """

    accepted: int = 0
    refused: int = 0
    slowed: int = 0
    turned_away: int = 0
    left: int = 0


class _Guest(ServerConnection):
    """A connection that is known from its first moment, and of which there are not too many.

    Attributes:
        phone: the name that the page gave itself, "" where it gave none.
    """

    def __init__(self, together: set[_Guest], *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.together = together
        self.phone = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        with contextlib.suppress(OSError):
            own = transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.together.add(self)
        own_host = _peer(self)
        from_there = sum(_peer(other) == own_host for other in self.together)
        if len(self.together) > _MOST_CONNECTIONS or from_there > _MOST_FROM_ONE:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.together.discard(self)
        super().connection_lost(exc)


@dataclass(eq=False)
class _Phone:
    number: int
    name: str
    connection: ServerConnection
    messages: Bucket
    actions: Bucket
    bad: int = 0
    there: asyncio.Event = field(default_factory=asyncio.Event)


class RemoteServer:
    """Listens from `start` until `close`. Made, started and closed by one thread, which `show` belongs to.

    Args:
        host, port: what to bind to; port 0 takes a free one.
        patience: see `Patience`.
        addresses: gives the addresses of this computer, the likeliest first.
        clock: seconds, by which floods are judged.

    Attributes:
        inbox: what phones ask for, for the show's thread.
        counters: see `Counters`.
        last_problem: what was wrong with the newest message or request, for the panel.
        problem: why it does not listen, in one line; "" while it does.
        port: where it listens, 0 while it does not.
        found_at: addresses of this computer by which it can be reached.
    """

    def __init__(
        self,
        host: str,
        port: int,
        door: Door,
        patience: Patience = Patience(),
        addresses: Callable[[str], list[str]] = own_addresses,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.inbox: Inbox[RemoteEvent] = Inbox(_INBOX)
        self.counters = Counters()
        self.last_problem = self.problem = ""
        self.port = 0
        self.found_at: tuple[str, ...] = ()
        self._host, self._wanted_port = host, port
        self._door, self._patience, self._addresses = door, patience, addresses
        self._clock = clock
        self._phones: dict[int, _Phone] = {}
        self._numbers = itertools.count(1)
        self._scene: Scene | None = None
        self._clerk = Clerk()
        self._open: set[_Guest] = set()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = thread_here(self._run, "remote")

    # For the show's thread

    @property
    def phones(self) -> int:
        """How many are connected."""
        return len(self._phones)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def show(self, scene: Scene) -> None:
        """Let every phone know this; what none has been told of before is forgotten."""
        self._scene = scene
        with contextlib.suppress(RuntimeError):  # its thread has ended
            self._loop.call_soon_threadsafe(self._wake)

    def stop(self) -> None:
        """Ask it to say goodbye and end, without waiting."""
        with contextlib.suppress(RuntimeError):  # its thread has ended
            self._loop.call_soon_threadsafe(self._ending.set)

    def close(self) -> None:
        """The same, and wait for it: a second or so. A second call does nothing."""
        if self._thread.ident is None:
            self._loop.close()
            return
        self.stop()
        self._thread.join(timeout=5.0)

    # Its thread

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self.port, self.found_at = 0, ()
            self._loop.close()

    def _wake(self) -> None:
        for phone in self._phones.values():
            phone.there.set()

    async def _serve(self) -> None:
        patience, tries = self._patience, 0
        while not self._ending.is_set():
            listening = serve(
                self._play,
                self._host,
                self._wanted_port,
                process_request=self._answer,
                compression=None,
                server_header=None,
                open_timeout=patience.opening,
                close_timeout=patience.goodbye,
                ping_interval=patience.ping,
                ping_timeout=patience.pong,
                max_size=LONGEST,
                max_queue=16,
                write_limit=_WRITE_LIMIT,
                logger=_silent_logger(),
                create_connection=self._connect,  # type: ignore[arg-type]
            )
            try:
                server = await listening
            except OSError as reason:
                tries += 1
                if tries == 1:  # perhaps it is our own, that was switched off just now
                    await self._ended(min(_AT_FIRST_SECONDS, patience.again))
                    continue
                self.problem = (
                    f"The remote cannot listen on {self._host}:{self._wanted_port}: "
                    f"{reason.strerror or reason}; choose another with --remote."
                )
                await self._ended(patience.again)
                continue
            self.problem, self.port = "", int(server.sockets[0].getsockname()[1])
            while not self._ending.is_set():
                self.found_at = tuple(self._addresses(self._host))
                await self._ended(_ADDRESSES_SECONDS)
            server.close()
            for phone in list(self._phones.values()):
                self._leave(phone)
            # Whoever does not say goodbye, or never said what he wants, is not waited for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await server.wait_closed()
            for connection in list(self._open):
                connection.transport.abort()
            await server.wait_closed()

    async def _ended(self, seconds: float) -> None:
        """Wait so long, or until the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    def _connect(self, *arguments: Any, **named: Any) -> Any:
        return _Guest(self._open, *arguments, **named)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; None for a phone that may play."""
        headers = {name: request.headers.get_all(name) for name in ("Host", "Origin", "Upgrade")}
        if any(len(values) > 1 for values in headers.values()):
            answer = self._door.ask("", "", None, None, False)
        else:
            host, origin, upgrade = (next(iter(values), None) for values in headers.values())
            upgrades = (upgrade or "").lower() == "websocket"
            answer = self._door.ask(request.method, request.path, host, origin, upgrades)
        if isinstance(answer, Admitted):
            assert isinstance(connection, _Guest)
            connection.phone = answer.phone
            return None
        if answer.status != 200:
            self.counters.turned_away += 1
        if answer.status == HTTPStatus.FORBIDDEN:
            self.last_problem = f"{_peer(connection)} came without the key, or from another page"
        length = {"Content-Length": str(len(answer.body)), "Connection": "close"}
        return Response(
            answer.status, HTTPStatus(answer.status).phrase, Headers(answer.headers | length), answer.body
        )

    async def _play(self, connection: ServerConnection) -> None:
        """One phone, from its greeting to its end."""
        assert isinstance(connection, _Guest)
        name, now = connection.phone, self._clock()
        for other in list(self._phones.values()):
            if name and other.name == name:  # the same one, whose old connection nobody has missed yet
                self._leave(other)
                other.connection.transport.abort()
        if len(self._phones) >= MOST_PHONES:
            await connection.close(_TOO_MANY, f"{MOST_PHONES} phones play already")
            return
        patience = self._patience
        phone = _Phone(
            next(self._numbers),
            name,
            connection,
            Bucket(patience.messages, patience.burst, now),
            Bucket(patience.actions, patience.actions_burst, now),
        )
        phone.there.set()
        self._phones[phone.number] = phone
        teller = asyncio.create_task(self._tell(phone))
        try:
            async for text in connection:
                if phone.number not in self._phones:
                    break
                await self._take(phone, text)
                if phone.bad > patience.bad:
                    await connection.close(_NONSENSE, "too many messages that mean nothing")
        except ConnectionClosed:
            pass
        finally:
            teller.cancel()
            self._leave(phone)
            await asyncio.wait([teller])

    def _leave(self, phone: _Phone) -> None:
        if self._phones.pop(phone.number, None) is not None:
            self.counters.left += 1
            self._put(phone, Left())

    async def _tell(self, phone: _Phone) -> None:
        """Tell one phone what it does not know yet, as fast as its network takes it."""
        told = Told(self._clerk)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await phone.there.wait()
                phone.there.clear()
                if self._scene is None:
                    continue
                for message in told.news(self._scene):
                    try:
                        async with asyncio.timeout(self._patience.send):
                            await phone.connection.send(message, text=True)
                    except TimeoutError:
                        phone.connection.transport.abort()
                        return

    async def _take(self, phone: _Phone, text: str | bytes) -> None:
        """Take one message, and wait where too many come."""
        now = self._clock()
        delay = phone.messages.take(now)
        try:
            message = read(text)
            if isinstance(message, Do):
                delay = max(delay, phone.actions.take(now))
            wish = understand(message)
        except Refused as reason:
            self.counters.refused += 1
            phone.bad += 1
            self.last_problem = f"{_peer(phone.connection)}: {reason}"
        else:
            self.counters.accepted += 1
            self._put(phone, wish)
        if delay > 0:
            self.counters.slowed += 1
            await asyncio.sleep(delay)

    def _put(self, phone: _Phone, wish: Wish) -> None:
        self.inbox.put(RemoteEvent(phone.number, wish, self._clock()))


def _silent_logger() -> logging.Logger:
    """What a phone does wrong is counted, not written to the performer's terminal."""
    logger = logging.Logger("remote")  # of its own: nobody's settings are touched
    logger.disabled = True
    return logger


def _peer(connection: ServerConnection) -> str:
    address = connection.remote_address
    return str(address[0]) if address else "somebody"
