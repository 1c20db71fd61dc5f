"""The engine's latent worker: sound from the source to the newest latent, hop by hop.

It owns the source's reading end, the encoder, and all state of the latent path. It never touches the
generator, and nothing that the generator does can make it wait.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from lavlive.audio.channels import Pick
from lavlive.audio.hops import Hop, HopCutter
from lavlive.audio.sources import Source
from lavlive.diagnosis.meters import Diagnosis
from lavlive.engine.mailbox import Mailbox
from lavlive.latent.path import Latent, LatentPath
from lavlive.latent.space import Space
from lavlive.link.contents import Journey
from lavlive.link.memory import SharedBlock
from lavlive.parameters import CHANNELS, INDEX, Values

_POLL_SECONDS = 0.002
_LONGEST_BACKLOG = 1.0
"""Seconds of sound that are encoded late; what waited longer is left out and counted as dropped."""
_HISTOGRAM_EDGES = np.linspace(-4.0, 4.0, 33)
_WAVEFORM = 256
_SOUND = [INDEX[name] for name in ("audio.gain", "audio.auto_gain", "audio.channels")]
_PICKS = [None if text == "source" else Pick.parse(text) for text in CHANNELS]


@dataclass(frozen=True, slots=True)
class TimedLatent:
    """A latent on its way to the generator.

    Attributes:
        latent: what to show.
        captured: capture time of the newest of its own samples; an encoder that hears ahead has heard more.
        ready: when it was made.
        parameter_revision: the parameters that it was made with.
    """

    latent: Latent
    captured: float
    ready: float
    parameter_revision: int

    @property
    def journey(self) -> Journey:
        """Its way through the stages so far."""
        encode, rest = self.latent.times
        return Journey(self.ready - rest - encode, self.ready - rest, self.ready)


class LatentWorker:
    """Runs the latent path on whatever the source gives, until `stop`.

    Args:
        link: parameters come from it, meters and sound go to it.
        path: this worker's alone from now on.
        source: may be replaced by `listen_to`.
        mailbox: where the newest latent is left.
        log: if given, w+ of every hop in this model's space is appended to it, as raw float32.
        space: gives the W of the model that is shown, for the meter of strangeness.
        width: gives the width of W that is asked for: of the widest model that is shown.
    """

    def __init__(
        self,
        link: SharedBlock,
        path: LatentPath,
        source: Source,
        mailbox: Mailbox[TimedLatent],
        log: tuple[BinaryIO, Space] | None = None,
        space: Callable[[], Space | None] = lambda: None,
        width: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.tick = clock()
        self.failure: BaseException | None = None
        self.backlog = 0.0
        """Seconds of sound that wait to be encoded."""
        self._link = link
        self._path = path
        self._source = source
        self._mailbox = mailbox
        self._log = log
        self._clock = clock
        # Not an event's wait: on Windows that lasts 15 ms at least, while sleep has a timer of its own there.
        self._sleep = sleep
        self._space = space
        self._width = width or (lambda: path.w_dim)
        self._diagnosis = Diagnosis(path.rate)
        self._cutter = HopCutter(path.encoder.hop, path.encoder.sample_rate)
        # Until the first whole values come: the link may be met while it is being written.
        self._targets, self._revision = Values().numbers, -1
        self._most_waiting = round(_LONGEST_BACKLOG * self._cutter.rate / self._cutter.hop)
        self._skipped = 0
        self._last_deviation: np.ndarray | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="latent worker", daemon=True)

    def start(self) -> None:
        """Begin; the parameters must have been written to the link before."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present hop."""
        self._stop.set()
        self._thread.join(timeout=5)

    def listen_to(self, source: Source) -> None:
        """Read from another source from the next block on; the caller stops the old one."""
        self._source = source

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.tick = self._clock()
                if not self._work():
                    self._sleep(_POLL_SECONDS)
        except BaseException as failure:
            self.failure = failure

    def _work(self) -> bool:
        self._hear_as_asked()
        block = self._source.read()
        if block is None:
            self._write_source_meters()
            return False
        heard = block.mixed()
        self._link.write_sound(heard, block.rate, block.time)
        self._write_waveform(heard)
        hops = self._newest(self._cutter.step(block))
        for index, hop in enumerate(hops):
            self.backlog = (len(hops) - index) * self._cutter.hop / self._cutter.rate
            self._step(hop)
            self.tick = self._clock()
        self.backlog = 0.0
        self._write_source_meters()
        return True

    def _hear_as_asked(self) -> None:
        """Gains and channels by the newest parameters."""
        if self._revision < 0:
            self._read_parameters()
        gain, automatic, channels = self._targets[_SOUND]
        level = self._cutter.level
        level.gain, level.automatic = float(gain), bool(automatic >= 0.5)
        self._source.hear(_PICKS[round(channels)])

    def _newest(self, hops: list[Hop]) -> list[Hop]:
        """All hops, or after a stall the last ones: pictures far behind the sound help nobody."""
        late = len(hops) - self._most_waiting
        if late <= 0:
            return hops
        self._skipped += late * self._cutter.hop
        return hops[late:]

    def _step(self, hop: Hop) -> None:
        self._read_parameters()
        self._path.resize(self._width())
        latent = self._path.step(hop.samples, self._targets)
        self._mailbox.put(TimedLatent(latent, self._heard_until(hop), self._clock(), self._revision))
        if self._log is not None:
            file, space = self._log
            file.write(space.w_plus(latent.deviation, latent.truncation).tobytes())
        self._write_latent_meters(latent, self._heard_until(hop))
        shown = self._space()
        self._diagnosis.distribution = shown.distribution if shown is not None else None
        change = self._link.number("picture.change")
        self._link.write_signs(self._diagnosis.step(latent, change))

    def _heard_until(self, hop: Hop) -> float:
        """When the last of a latent's own samples was captured; what hears ahead gives it later."""
        return hop.time - self._path.encoder.lookahead

    def _read_parameters(self) -> None:
        parameters = self._link.read_parameters()
        if parameters is not None:
            self._targets, self._revision = parameters

    def _write_latent_meters(self, latent: Latent, captured: float) -> None:
        meter = self._link.meter
        keep = math.exp(-1.0 / self._path.rate)
        encode, rest = latent.times
        meter("time.encode")[0] += (encode - meter("time.encode")[0]) * 0.05
        meter("time.map")[0] += (rest - meter("time.map")[0]) * 0.05
        meter("time.smooth")[:] = latent.smoothing_delay
        meter("audio.onset")[0] = latent.features.onset
        meter("audio.chroma")[:] = latent.features.chroma
        meter("audio.spectrum")[:] = latent.features.spectrum
        meter("latent.hops")[0] = latent.hop + 1
        meter("latent.invalid")[0] = self._path.invalid
        meter("latent.parameter_revision")[0] = self._revision
        meter("picture.limited")[0] = self._path.limited
        self._link.write_deviation(latent.deviation, captured)
        meter("latent.deviation")[:] = np.sqrt(np.mean(latent.deviation**2, axis=1))
        if self._last_deviation is not None and self._last_deviation.shape == latent.deviation.shape:
            speed = np.sqrt(np.mean((latent.deviation - self._last_deviation) ** 2, axis=1)) * self._path.rate
            meter("latent.motion")[:] = speed + (meter("latent.motion") - speed) * keep**4
        self._last_deviation = latent.deviation
        counts, _ = np.histogram(np.clip(latent.deviation, -3.99, 3.99), _HISTOGRAM_EDGES)
        shares = counts / latent.deviation.size
        meter("latent.histogram")[:] = shares + (meter("latent.histogram") - shares) * keep

    def _write_source_meters(self) -> None:
        meter, lamps = self._link.meter, self._cutter.lamps
        meter("audio.rate")[0] = self._source.rate
        meter("audio.channels")[0] = self._source.channels
        meter("audio.xruns")[0] = self._source.xruns
        meter("audio.dropped")[0] = self._source.dropped_samples + self._skipped
        meter("audio.level")[0] = lamps.level
        meter("audio.peak")[0] = lamps.peak
        meter("audio.clipped")[0] = lamps.clipped
        meter("audio.invalid")[0] = lamps.invalid
        meter("audio.offset")[0] = lamps.offset
        meter("audio.silent")[0] = lamps.silent
        meter("audio.opposite")[0] = lamps.opposite
        meter("audio.gain")[0] = lamps.gain
        meter("audio.too_quiet")[0] = lamps.too_quiet

    def _write_waveform(self, samples: np.ndarray) -> None:
        mono = samples[:, 0]
        waveform = self._link.meter("audio.waveform")
        piece = mono[:: max(1, len(mono) // 32)][-_WAVEFORM:]
        waveform[: _WAVEFORM - len(piece)] = waveform[len(piece) :].copy()
        waveform[_WAVEFORM - len(piece) :] = np.nan_to_num(piece)
