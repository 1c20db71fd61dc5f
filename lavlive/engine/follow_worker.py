"""The engine's follow worker: on a node, what the stage leaves in the link instead of sound.

It stands where the latent worker stands in a show of its own: it hands the picture worker the newest
deviation as soon as it comes, and has no source, no encoder and no latent path.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from lavlive.engine.latent_worker import TimedLatent
from lavlive.engine.mailbox import Mailbox
from lavlive.latent.features import Features
from lavlive.latent.path import Latent
from lavlive.link.contents import Deviation
from lavlive.link.memory import SharedBlock
from lavlive.parameters import Glide, Values

_POLL_SECONDS = 0.002
_NOTHING = np.zeros(0, np.float32)
_NO_DELAY = np.zeros(3)


class FollowWorker:
    """Makes latents of what the link says, until `stop`.

    Args:
        link: deviations and parameters come from it.
        mailbox: where the newest latent is left.
        width: gives the width of W that is asked for.

    Attributes:
        backlog: nothing ever waits here.
    """

    backlog = 0.0

    def __init__(
        self,
        link: SharedBlock,
        mailbox: Mailbox[TimedLatent],
        width: Callable[[], int],
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.tick = clock()
        self.failure: BaseException | None = None
        self._link = link
        self._mailbox = mailbox
        self._width = width
        self._clock = clock
        self._sleep = sleep
        self._glide = Glide()
        self._targets, self._revision = Values().numbers, -1
        self._number: int | None = None
        self._hop = 0
        self._stepped = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow worker", daemon=True)

    def start(self) -> None:
        """Begin; the parameters must have been written to the link before."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self.step():
                    self._sleep(_POLL_SECONDS)
        except BaseException as failure:
            self.failure = failure

    def step(self) -> bool:
        """Hand on what has come; False where nothing has. Before anything has, the mean of W is shown."""
        self.tick = self._clock()
        hop = self._link.read_hop()
        if hop is None:
            if self._number is not None or self._link.number("latent.width"):
                return False
            hop = Deviation(np.zeros((3, self._width())), self.tick, 0)
        if hop.number == self._number:
            return False
        self._number = hop.number
        self._mailbox.put(TimedLatent(self._latent(hop), hop.captured, self._clock(), self._revision))
        self._hop += 1
        meter = self._link.meter
        meter("latent.hops")[0] = self._hop
        meter("latent.parameter_revision")[0] = self._revision
        meter("latent.deviation")[:] = np.sqrt(np.mean(hop.groups**2, axis=1))
        return True

    def _latent(self, hop: Deviation) -> Latent:
        parameters = self._link.read_parameters()
        if parameters is not None:
            self._targets, self._revision = parameters
        elapsed, self._stepped = self.tick - self._stepped, self.tick
        deviation = hop.groups.astype(np.float32)
        meter = self._link.meter
        features = Features(
            self._link.number("audio.onset"),
            meter("audio.chroma").astype(np.float32),
            meter("audio.spectrum").astype(np.float32),
            silent=False,
        )
        return Latent(
            deviation=deviation,
            embedding=_NOTHING,
            unsmoothed=deviation,
            features=features,
            numbers=self._glide.step(self._targets, max(elapsed, 0.0)),
            smoothing_delay=_NO_DELAY,
            times=(0.0, 0.0),
            hop=self._hop,
            valid=True,
        )
