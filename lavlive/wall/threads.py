"""The two threads that a wall adds to a stage: one that conducts, one that follows.

    thread     owns                                             may not
    conductor  the transport's sending end, the conductor       touch the show but by what it is given
    follower   the transport, the follower                      touch the show but by what it is given

Neither ends with a fault: what fails is counted, told, and tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lavlive.errors import WallError
from lavlive.wall.conductor import Conductor, Hop
from lavlive.wall.follower import Due, Follower
from lavlive.wall.messages import Moment, Report, encode
from lavlive.wall.transport import LOOK, MOMENT, PING, REPORT, Transport, pong_topic

POLL_SECONDS = 0.004
_FOLLOW_SECONDS = 0.006
_AGAIN_SECONDS = 0.2
CONNECT_AGAIN_SECONDS = 4.0
"""After so long a silence the connection is made anew, whatever the transport thinks of it."""


class Conducting:
    """Tells what the engine makes, as it comes.

    Args:
        transport: open; closed by `close`.
        hop: gives the newest hop.

    Attributes:
        problem: why nothing is told, or "".
    """

    def __init__(
        self,
        conductor: Conductor,
        transport: Transport,
        hop: Callable[[], Hop | None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.conductor = conductor
        self.problem = ""
        self._transport = transport
        self._hop = hop
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="conductor", daemon=True)

    def start(self) -> None:
        """Begin to tell and to listen."""
        self._transport.subscribe(PING, self._take)
        self._transport.subscribe(REPORT, self._take)
        self._thread.start()

    def close(self) -> None:
        """End, and let go of the transport."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)
        self._transport.close()

    def _take(self, payload: bytes) -> None:
        answer = self.conductor.take(payload, self._clock())
        if answer is not None:
            self._transport.publish(pong_topic(answer.node), encode(answer))

    def _run(self) -> None:
        due = self._clock()
        while not self._stop.is_set():
            try:
                self._tell()
                self.problem = ""
            except Exception as error:  # the show must go on, and the next hop may well travel
                self.problem = f"The conductor could not tell its nodes: {type(error).__name__}: {error}"
                time.sleep(_AGAIN_SECONDS)
            due = max(due + POLL_SECONDS, self._clock())
            time.sleep(max(due - self._clock(), 0.0005))

    def _tell(self) -> None:
        for message in self.conductor.step(self._hop(), self._clock()):
            topic = MOMENT if isinstance(message, Moment) else LOOK
            self._transport.publish(topic, encode(message))


class Following:
    """Keeps a node connected, and hands on what is to be shown when it is to be made.

    Args:
        connect: opens the transport; it may wait, and raises WallError where there is no conductor.
        write: takes what to make a picture of.
        report: gives how the node fares.

    Attributes:
        problem: why there is no conductor, or "".
        due: what was handed on last, None before.
    """

    def __init__(
        self,
        follower: Follower,
        connect: Callable[[], Transport],
        write: Callable[[Due], object],
        report: Callable[[], Report],
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.follower = follower
        self.problem = ""
        self.due: Due | None = None
        self._connect = connect
        self._write = write
        self._report = report
        self._clock = clock
        self._sleep = sleep
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Look for the conductor."""
        self._thread.start()

    def close(self) -> None:
        """End; a connection that is being made is waited for."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=4)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._connect() as transport:
                    self.problem = ""
                    self._follow(transport)
            except WallError as error:
                self.problem = str(error)
                self._sleep(_AGAIN_SECONDS)
            except Exception as error:  # a node goes on with what it shows, and tries again
                self.problem = f"The node could not follow: {type(error).__name__}: {error}"
                self._sleep(_AGAIN_SECONDS)

    def _follow(self, transport: Transport) -> None:
        follower, clock = self.follower, self._clock
        heard = clock()

        def take(payload: bytes) -> None:
            nonlocal heard
            heard = clock()
            follower.take(payload, heard)

        for topic in (MOMENT, LOOK, pong_topic(follower.node)):
            transport.subscribe(topic, take)
        while not self._stop.is_set() and clock() - heard < CONNECT_AGAIN_SECONDS:
            now = clock()
            for ping in follower.asks(now):
                transport.publish(PING, encode(ping))
            due = follower.step(now)
            if due is not None:
                self.due = due
                self._write(due)
            if follower.wants_report(now):
                transport.publish(REPORT, encode(self._report()))
            self._sleep(_FOLLOW_SECONDS)
