"""A real stage that tells what its audience sees.

    python -m tests.support.watched_stage [arguments of lavlive live]

It runs the show exactly as ``lavlive live`` does. Five times a second it writes what happened since the
last time to standard output, as a line of JSON; on standard input it takes what a performer would do in the
panel: another source, another model, a recording, presets and bindings.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from lavlive.commands.arguments import parse
from lavlive.commands.live import DISPLAY_RATE, _ending_on_signals
from lavlive.commands.opening import open_show
from lavlive.commands.options import LiveOptions
from lavlive.control.events import MidiControl, MidiControlKind
from lavlive.control.midi.bindings import Binding
from lavlive.errors import LavliveError
from lavlive.link.environment import prepare_process
from lavlive.show.pace import ShowPace
from lavlive.show.show import Show
from lavlive.stage.recording.recorder import LiveRecorder
from lavlive.stage.recording.sound_tap import CHANNELS, RATE
from tests.support.wishes import AnyWish, Bind, Listen, Record, Save, ShowModel, StopRecording, decode

_REPORT_SECONDS = 0.2
_SLOW_START_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_BLOCKED_SECONDS = 2.0
"""A step that takes so long is written to standard error with what every thread does."""
_THINNED = (slice(None, None, 4), slice(None, None, 4))


class Gap:
    """The longest time without a change, since the last report and up to now."""

    def __init__(self, now: float) -> None:
        self._changed = now
        self._longest = 0.0

    def step(self, changed: bool, now: float) -> None:
        self._longest = max(self._longest, now - self._changed)
        if changed:
            self._changed = now

    def take(self) -> float:
        longest, self._longest = self._longest, 0.0
        return round(longest, 3)


class Watch:
    """Looks at a show after every step, and reports."""

    def __init__(self, show: Show, now: float) -> None:
        self._show = show
        self._sequence = 0
        self._canvas = np.zeros(0, np.uint8)
        self._due = now
        self._steps = Gap(now)
        # The clocks of both begin with the first picture: loading is not the fault of a fault.
        self._pictures: Gap | None = None
        self._seen: Gap | None = None
        self._notices: list[str] = []

    def step(self, now: float) -> dict[str, Any] | None:
        """What there is to report, if it is time."""
        sequence = self._show.link.newest_sequence
        self._steps.step(True, now)
        if self._pictures is None or self._seen is None:
            if sequence:
                self._pictures, self._seen = Gap(now), Gap(now)
        else:
            self._pictures.step(sequence != self._sequence, now)
        self._sequence = sequence
        if now < self._due:
            return None
        self._due = now + _REPORT_SECONDS
        canvas = self._show.output.read_canvas()[_THINNED]
        changed = not np.array_equal(canvas, self._canvas)
        self._canvas = canvas
        if self._seen is not None:
            self._seen.step(changed, now)
        return self._report(now)

    def _report(self, now: float) -> dict[str, Any]:
        show, number = self._show, self._show.link.number
        supervisor = show.supervisor
        heard = [notice.text for notice in show.notices.history]
        fresh, self._notices = [text for text in heard if text not in self._notices], heard
        return {
            "time": now,
            "link": show.link.name,
            "pictures": self._sequence,
            "step_gap": self._steps.take(),
            "picture_gap": self._pictures.take() if self._pictures else 0.0,
            "canvas_gap": self._seen.take() if self._seen else 0.0,
            "engine": getattr(supervisor._engine, "pid", 0),
            "spare": getattr(supervisor._spare, "pid", 0),
            "running": supervisor.state == "running",
            "restarts": supervisor.restarts,
            "safe": supervisor.safe,
            "state": json.loads(show.state().to_json()),
            "revision": show.control.revision,
            "engine_revision": int(number("latent.parameter_revision")),
            "picture_revision": show.newest_picture.parameter_revision if show.newest_picture else -1,
            "smoothing_delay": show.link.meter("time.smooth").tolist(),
            "pointed": show.operator.panel.pointed if show.operator.panel else None,
            "invalid_samples": int(number("audio.invalid")),
            "invalid_latents": int(number("latent.invalid")),
            "level": number("audio.level"),
            "osc_bad": show.control.osc.counters.bad if show.control.osc else 0,
            "osc_accepted": show.control.osc.counters.accepted if show.control.osc else 0,
            "recording": show.recordings.recorder is not None and show.recordings.recorder.running,
            "recorder_error": show.recordings.recorder.error if show.recordings.recorder else None,
            "badge": show.notices.badge(now),
            "news": fresh,
            "canvas_mean": float(self._canvas.mean()),
        }


class Stillness:
    """Writes to standard error what every thread does while the stage makes no step.

    A thread of Python's, since faulthandler reads other threads' frames while these run on: after a sleep of
    the computer, when its limit had passed although nothing was blocked, it brought the stage down.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._limit = _SLOW_START_SECONDS
        threading.Thread(target=self._run, daemon=True).start()

    def step(self) -> None:
        """The stage goes on."""
        self._steps += 1
        self._limit = _BLOCKED_SECONDS

    def _run(self) -> None:
        seen, still = -1, 0.0
        while True:
            time.sleep(_LOOK_SECONDS)
            still = still + _LOOK_SECONDS if self._steps == seen else 0.0
            seen = self._steps
            if still == self._limit:
                for thread, frame in sys._current_frames().items():
                    print(f"no step for {still:g} s, thread {thread}:", file=sys.stderr)
                    traceback.print_stack(frame)


def _obey(show: Show, wish: AnyWish) -> None:
    match wish:
        case Listen(source=source):
            show.supervisor.change_source(source)
        case ShowModel(path=path):
            show.load_model(path)
        case Record(path=path, free=free):
            width, height = show.output.canvas_size
            given: dict[str, Any] = {} if free is None else {"free_bytes": lambda _: free}
            show.recordings.recorder = LiveRecorder(
                path,
                width - width % 2,
                height - height % 2,
                sample_rate=RATE,
                channels=CHANNELS,
                **given,
            )
        case Save(number=number):
            _save(show, number)
            _bind(show, number)
        case Bind(number=number):
            _bind(show, number)
        case StopRecording() if show.recordings.recorder is not None:
            show.recordings.recorder.stop()
            show.recordings.recorder = None
            show.notices.clear("recorder")


def _save(show: Show, number: int) -> None:
    """Write a preset and a changed state."""
    show.control.looks.by_hand("mapper.y", 4 * (number % 1000 / 1000))
    show.control.looks.save(f"kept {number % 3}", f"after {number} changes")


def _bind(show: Show, number: int) -> None:
    """Write bindings."""
    position = number % 1000 / 1000
    control = MidiControl(MidiControlKind.CC, 1 + number % 16, number % 128)
    show.control.controllers.bind(
        f"device {number % 3}", Binding(control, "mapper.c", low=0.0, high=position or 1.0)
    )


def _read_wishes(wishes: queue.SimpleQueue[AnyWish]) -> None:
    for line in sys.stdin:
        wishes.put(decode(line))


def main(arguments: list[str]) -> int:
    """The stage's process."""
    stillness = Stillness()
    prepare_process()
    options = parse(["live", *arguments]).options()
    assert isinstance(options, LiveOptions)
    wishes: queue.SimpleQueue[AnyWish] = queue.SimpleQueue()
    threading.Thread(target=_read_wishes, args=(wishes,), daemon=True).start()
    with open_show(options) as show, _ending_on_signals(show):
        watch, pace = Watch(show, time.perf_counter()), ShowPace(DISPLAY_RATE)
        while not show.done:
            now = time.perf_counter()
            stillness.step()
            while not wishes.empty():
                try:
                    _obey(show, wishes.get())
                except LavliveError as error:  # as the panel does
                    show.notices.tell(str(error), now)
            show.step(now)
            report = watch.step(now)
            if report is not None:
                print(json.dumps(report, default=str), flush=True)
            pace.wait(show.output.display_rate, meanwhile=show.listen)
    return 0


if __name__ == "__main__":
    assert Path("lavlive").is_dir(), "run this in the repository's root"
    sys.exit(main(sys.argv[1:]))
