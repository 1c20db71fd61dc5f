"""Tracks as sources: silent, at their own pace, or aloud, at the pace of the loudspeakers."""

from __future__ import annotations

import threading
import time
from collections import deque

import numpy as np

from lavlive.audio import devices, portaudio
from lavlive.audio.block import Clock, Samples
from lavlive.audio.channels import Mix, stereo_mix
from lavlive.audio.ring import RING_SECONDS, Ring
from lavlive.audio.tracks import ReadAhead, ResampledTrack, Track
from lavlive.errors import SourceError

RETRY_SECONDS = 2.0
_STEP = 0.005
"""Seconds of sound handed over at a time."""
_CATCH_UP = 0.5
"""A pacer that is later than this goes on from now instead of hurrying after the clock."""


class SilentPlayer:
    """Plays a track into its ring at the track's own pace.

    The capture time of a sample is the moment at which it is due, so it has no jitter. After a stall (a
    busy machine, a laptop that slept) up to half a second is caught up; more counts as a gap, and the
    track goes on where it was.

    Args:
        track: taken over; closed by `close`.
        loop: begin again without a gap.
        clock: seconds.

    Attributes:
        stalls: how often the pace was given up and taken up anew.
    """

    def __init__(self, track: Track, loop: bool, clock: Clock) -> None:
        self.name = track.name
        self.address = str(track.path)
        self.rate = track.rate
        self.ring = Ring(RING_SECONDS, track.rate, track.channels, track.layout)
        self.stalls = 0
        self.notices: deque[str] = deque()
        self._clock = clock
        self._step = max(1, round(_STEP * track.rate))
        self._piece = np.zeros((self._step, track.channels), np.float32)
        self._ahead = ReadAhead(track, loop)
        self._began = clock()
        self._played = 0
        self._gap = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to play, from a thread of its own."""
        self._began = self._clock()
        self._thread = threading.Thread(target=self._run, name="track pacer", daemon=True)
        self._thread.start()

    def pace(self, now: float) -> None:
        """Hand over all steps that are due at `now`; what the thread does again and again."""
        late = now - self._began - (self._played + self._step) / self.rate
        if late > _CATCH_UP:
            self.stalls += 1
            self._began += late
            self._gap = True
        while not self._ahead.finished:
            due = self._began + (self._played + self._step) / self.rate
            if due > now:
                return
            count = self._ahead.take(self._piece)
            if not count:
                return
            self._played += count
            self.ring.write(self._piece[:count], self._began + self._played / self.rate, gap=self._gap)
            self._gap = False

    @property
    def heard(self) -> float:
        """Now: a track paces itself, and is never given up for being late."""
        return self._clock()

    @property
    def ended(self) -> bool:
        """The track is over."""
        return self._ahead.finished

    def tend(self, now: float) -> str | None:
        """None: a track on disk does not go away while it is open."""
        return None

    def close(self) -> None:
        """Stop, and close the track."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._ahead.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            # Not the event's own wait, which lasts 15 ms on Windows.
            time.sleep(_STEP / 2)
            self.pace(self._clock())


class AloudPlayer(SilentPlayer):
    """Plays a track through an output and copies what it plays into the ring.

    The loudspeakers set the pace, and the capture time of a sample is the moment at which it is heard. An
    output that stops (a busy machine, a server that starts anew) is opened again at once, and nothing is
    said; if that fails it is away: the track goes on silently, and it is tried again every two seconds.
    An output with fewer channels than the track plays them mixed to two, or one.

    Args:
        track: taken over; closed by `close`.
        loop: begin again without a gap.
        clock: seconds.
        output: where to play, or None when there is nothing now.
        why: what to say about that.
    """

    def __init__(
        self, track: Track, loop: bool, clock: Clock, output: devices.Device | None, why: str = ""
    ) -> None:
        super().__init__(track, loop, clock)
        self._output = output
        self._speaker: portaudio.Speaker | None = None
        # Held by whoever hands the pace from the pacer to the speaker or back; never by the callback.
        self._hand_over = threading.Lock()
        self._scratch = np.zeros((8192, track.channels), np.float32)
        self._channels = track.channels
        self._mixes = _mixes(track)
        self._aloud = False
        self._tried = clock()
        self._silent = output is None
        if output is None:
            self.notices.append(f"{self.name} plays silently: {why}")

    def start(self) -> None:
        """Begin to play."""
        if self._output is not None:
            failure = self._play_on(self._output)
            if failure is not None:
                self._silent = True
                self.notices.append(f"{self.name} plays silently: {failure}")
        super().start()

    def pace(self, now: float) -> None:
        """Hand over what is due, while no loudspeaker does it."""
        with self._hand_over:
            if self._speaker is None:
                super().pace(now)

    def tend(self, now: float) -> str | None:
        """Take the output again when it stopped or is back, and go on silently as long as it is away."""
        stopped = self._speaker if self._speaker is not None and not self._speaker.active else None
        if stopped is not None:
            with self._hand_over:
                self._aloud = False
                self._speaker = None
                self._began = now - self._played / self.rate
            # Outside the lock: a dead driver takes its time, and the pictures' sound must go on.
            stopped.close()
        if self.ended or self._speaker is not None:
            return None
        if stopped is not None or now - self._tried >= RETRY_SECONDS:
            self._tried = now
            self._take_output()
        return None

    def _take_output(self) -> None:
        """Be aloud again if the output is there; say when that changes."""
        try:
            found = devices.find_output(None) if self._output is None else devices.find_again(self._output)
            failure = self._play_on(found)
            self._output = found
        except SourceError as error:
            failure = str(error)
        if failure is None and self._silent:
            self.notices.append(f"{self.name} plays aloud again")
        elif failure is not None and not self._silent:
            self.notices.append("the output went away; the track goes on silently until it is back")
        self._silent = failure is not None

    def close(self) -> None:
        """Stop, let go of the output, and close the track."""
        if self._speaker is not None:
            self._speaker.close()
        super().close()

    def _play_on(self, output: devices.Device) -> str | None:
        """Let an output set the pace; why it cannot, or None."""
        try:
            speaker = portaudio.Speaker(output.index, self.rate, self._channels, self._fill, self._clock)
            with self._hand_over:
                self._speaker, self._aloud = speaker, True
                speaker.start()
        except SourceError as error:
            self._speaker, self._aloud = None, False
            return str(error)
        return None

    def _fill(self, out: Samples, heard_at: float, late: bool) -> None:
        """The loudspeaker's callback: take, copy, count. If it raised, PortAudio would end the stream."""
        if not self._aloud:  # the pacer has it
            return
        for start in range(0, len(out), len(self._scratch)):
            piece = out[start : start + len(self._scratch)]
            taken = self._scratch[: self._ahead.take(self._scratch[: len(piece)])]
            mix = self._mixes.get(out.shape[1])
            if mix is None:
                piece[: len(taken)] = taken[:, : out.shape[1]]
            else:
                np.matmul(taken, mix, out=piece[: len(taken), : mix.shape[1]])
            late = late or (len(taken) < len(piece) and not self._ahead.finished)
            self._played += len(taken)
            self.ring.write(taken, heard_at + (start + len(taken)) / self.rate, late)
            late = False


def _mixes(track: Track) -> dict[int, Mix]:
    """How a track's channels become those of an output that has fewer, by their number."""
    stereo = stereo_mix(track.layout, track.channels)
    mixes = dict.fromkeys(range(2, track.channels), stereo)
    if track.channels > 1:
        mixes[1] = stereo.mean(axis=1, keepdims=True)
    return mixes


def play_aloud(path: str, loop: bool, clock: Clock) -> AloudPlayer:
    """A player on the default output, at the track's rate if the output takes it, else at the output's.

    Raises:
        SourceError: the track cannot be read. A missing output is no error; the player says it.
    """
    track = Track(path)
    try:
        output = devices.find_output(None)
    except SourceError as error:
        return AloudPlayer(track, loop, clock, None, str(error))
    if not portaudio.plays(output.index, track.rate, track.channels):
        track.close()
        track = ResampledTrack(path, output.rate)
    return AloudPlayer(track, loop, clock, output)
