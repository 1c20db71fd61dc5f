"""What leaves the show besides the picture on its screen: recordings and outlets, fed once a picture.

output ── begin_shot … fetch_shot ──► recorder, outlets
link's sound ── later by the latency ──► recorder, outlets
"""

from __future__ import annotations

from lavlive.link.memory import SharedBlock
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import Output
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.outlets import Outlets
from lavlive.stage.recording.recorder import LiveRecorder
from lavlive.stage.recording.recordings import Recordings
from lavlive.stage.recording.sound_tap import SoundTap
from lavlive.stage.recording.steady_sound import JUMP_SECONDS

_LONGEST_LATENCY = 0.5
"""Seconds; a latency that claims to be longer is no true one."""
_FOLLOW_PER_SECOND = 0.003
_OTHER_SECONDS = 3.0
"""So long another latency has lasted before sound is cut for it."""


class SoundDelay:
    """How much later sound leaves than it was captured: the latency, so followed that nobody hears it.

    A latency that moves a little is followed as slowly as sound can be stretched; another that lasts is taken
    at once, with one cut. Single late pictures change nothing.

    Attributes:
        seconds: the delay.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._at = 0.0
        self._other_since: float | None = None

    def step(self, latency: float, now: float) -> float:
        """The delay at `now`, seconds of a clock, where the latency is so."""
        latency = min(max(latency, 0.0), _LONGEST_LATENCY)
        since, self._at = now - self._at, now
        if self.seconds is None:
            self.seconds = latency
        apart = latency - self.seconds
        if abs(apart) <= JUMP_SECONDS:
            self._other_since = None
            most = _FOLLOW_PER_SECOND * max(since, 0.0)
            self.seconds += min(max(apart, -most), most)
        elif self._other_since is None:
            self._other_since = now
        elif now - self._other_since > _OTHER_SECONDS:
            self.seconds, self._other_since = latency, None
        return self.seconds

    def begin(self) -> None:
        """Take the next latency as it is: no sound has left yet."""
        self.seconds, self._other_since = None, None


class Leaving:
    """The main thread's; never waits.

    Args:
        link: where the engine's sound is heard.
    """

    def __init__(
        self, link: SharedBlock, output: Output, notices: Notices, recordings: Recordings, outlets: Outlets
    ) -> None:
        self.recordings = recordings
        self.outlets = outlets
        self._output = output
        self._notices = notices
        self._tap = SoundTap(link)
        self._recorded_by: LiveRecorder | None = None
        self._heard = False
        self._delay = SoundDelay()
        self._told: set[str] = set()

    def step(self, now: float, latency: float, begun: bool) -> None:
        """Give away what is due.

        Args:
            now: seconds of the clock, of the picture that was presented last.
            latency: from a sound's capture to the picture that shows it, seconds. Sound is given away as much
                later, so that the two leave together.
            begun: whether there has been a picture: a recording must not begin with a wait.
        """
        if begun:
            self.recordings.step(self._output.canvas_size, now)
        recorder = self.recordings.recorder
        if recorder is not self._recorded_by:
            self._recorded_by = recorder
            self._notices.clear("recorder")
        self._give_pictures(recorder, now)
        self._give_sound(recorder, latency, now)
        if recorder is not None and recorder.error is not None:
            self._notices.raise_condition("recorder", recorder.error, now)
        self._tell(now)

    def _give_pictures(self, recorder: LiveRecorder | None, now: float) -> None:
        shot = self._output.fetch_shot()
        if shot is not None:
            if recorder is not None and recorder.wants(shot.time):
                recorder.picture(shot.pixels, shot.time)
            self.outlets.offer(shot)
        asked = self.outlets.ask(now)
        if recorder is not None and recorder.wants(now):
            self._output.begin_shot(now)
        elif asked:
            self._output.begin_shot(now, self.outlets.largest)

    def _give_sound(self, recorder: LiveRecorder | None, latency: float, now: float) -> None:
        wanted = recorder is not None or self.outlets.hearing
        if wanted and not self._heard:
            self._tap.skip()
            self._delay.begin()
        self._heard = wanted
        later = self._delay.step(latency, now)
        heard = self._tap.read() if wanted else None
        if heard is None:
            return
        samples, captured = heard
        if recorder is not None:
            recorder.sound(samples, captured + later)
        self.outlets.hear(SoundBlock(samples, captured + later))

    def _tell(self, now: float) -> None:
        self.outlets.news()
        conditions = self.outlets.conditions(now)
        for name in self._told - conditions.keys():
            self._notices.clear(f"outlet {name}")
        for name, text in conditions.items():
            self._notices.raise_condition(f"outlet {name}", text, now)
        self._told = set(conditions)
