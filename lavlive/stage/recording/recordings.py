"""The recordings of one show: begun and ended while it goes on, each into a file of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path

import platformdirs

from lavlive.errors import LavliveError, RecordingError
from lavlive.stage.aside import END_SECONDS, Aside
from lavlive.stage.recording.codecs import find_codec
from lavlive.stage.recording.recorder import LiveRecorder
from lavlive.stage.recording.sound_tap import CHANNELS, RATE
from lavlive.stage.recording.video import check_target

Open = Callable[[Path, int, int], LiveRecorder]


class Recordings:
    """Begins and ends recordings, one at a time; the main thread's, which waits only in `close`.

    Files are opened and finished in other threads. One that exists is never written over: the next free
    name is taken.

    Args:
        target: the file to write; None takes a name from the time, in the user's folder of videos.
        size: width and height of the video; None takes the canvas's.
        tell: gets what the operator should read.
        opener: opens a recorder of a path and a size.
        codec: a name in `codecs.CODECS`.
        fps: pictures a second.
        patience: seconds that `close` waits for a file that is being opened.

    Attributes:
        recorder: the one that records now, or stopped by itself.
        finished: the files written so far.

    Raises:
        RecordingError: `target` cannot be written, or not in that codec.
    """

    def __init__(
        self,
        target: Path | None = None,
        size: tuple[int, int] | None = None,
        tell: Callable[[str], None] = lambda _: None,
        opener: Open | None = None,
        codec: str = "h264",
        fps: float | Fraction = 30,
        patience: float = END_SECONDS,
    ) -> None:
        if target is not None:
            check_target(target, codec)
        self._codec, self._fps, self._patience = codec, fps, patience
        self._suffix = find_codec(codec).suffixes[0]
        self.recorder: LiveRecorder | None = None
        self.finished: list[Path] = []
        self._target = target
        self._size = size
        self._tell = tell
        self._opener = opener or self._open
        self._wanted = False
        self._began: float | None = None
        self._aside = Aside("recording opens")
        self._opening: Future[LiveRecorder] | None = None
        self._ending: list[LiveRecorder] = []

    @property
    def wanted(self) -> bool:
        """Whether there is a recording, or will be with the next picture."""
        return self._wanted and (self.recorder is None or self.recorder.error is None)

    def seconds(self, now: float) -> float:
        """How long the present recording is, 0 where there is none."""
        return now - self._began if self._began is not None and self.wanted else 0.0

    def toggle(self) -> None:
        """Begin a recording, or end the present one."""
        if self.wanted:
            self.end()
        else:
            self.begin()

    def begin(self) -> None:
        """Begin with the next picture; nothing happens while there is a recording."""
        if not self.wanted:
            self._let_go()
            self._wanted = True

    def end(self) -> None:
        """End the present recording; its file is finished in the recorder's own thread."""
        self._wanted = False
        self._let_go()

    def step(self, canvas: tuple[int, int], now: float) -> None:
        """Once a picture: open what is wanted for a canvas of that size, and tell what is finished."""
        if self._opening is not None:
            self._take_opened(now)
        elif self._wanted and self.recorder is None:
            width, height = self._size or (canvas[0] - canvas[0] % 2, canvas[1] - canvas[1] % 2)
            if width > canvas[0] or height > canvas[1]:
                small = f"{canvas[0]} x {canvas[1]}"
                self._tell(f"The canvas is {small}: the video of {width} x {height} shows it enlarged")
            self._opening = self._aside.submit(self._opener, self._path(), width, height)
        for recorder in [recorder for recorder in self._ending if not recorder.alive]:
            self._ending.remove(recorder)
            self._note_finished(recorder)

    def close(self) -> None:
        """End everything, waiting until the files are finished; a disk that hangs is left after a while."""
        self.end()
        if not self._aside.close(self._patience):
            self._tell("The recording that was beginning is given up: its disk does not answer.")
        elif self._opening is not None and self._opening.exception() is None:
            self._ending.append(self._opening.result())
        for recorder in self._ending:
            recorder.stop()
            self._note_finished(recorder)
        self._ending.clear()

    def _take_opened(self, now: float) -> None:
        assert self._opening is not None
        if not self._opening.done():
            return
        opening, self._opening = self._opening, None
        try:
            recorder = opening.result()
        except LavliveError as error:
            self._wanted = False
            self._tell(str(error))
            return
        if not self._wanted:  # ended before it began
            self._finish(recorder)
            return
        self.recorder, self._began = recorder, now
        self._tell(f"Recording to {recorder.path}")

    def _let_go(self) -> None:
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            self._finish(recorder)

    def _finish(self, recorder: LiveRecorder) -> None:
        recorder.finish()
        self._ending.append(recorder)

    def _note_finished(self, recorder: LiveRecorder) -> None:
        if not recorder.path.exists():  # one without a picture leaves no file
            return
        self.finished.append(recorder.path)
        if recorder.error is None:
            self._tell(f"Recorded {recorder.path}")

    def _path(self) -> Path:
        if self._target is not None:
            return self._target
        folder = Path(platformdirs.user_videos_dir())
        return folder / time.strftime(f"lavlive-%Y-%m-%d-%H.%M.%S{self._suffix}")

    def _open(self, path: Path, width: int, height: int) -> LiveRecorder:
        if self._target is None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RecordingError(f"{path.parent} cannot be made: {error.strerror or error}.") from error
        return LiveRecorder(
            path, width, height, self._fps, RATE, CHANNELS, notice=self._tell, codec=self._codec
        )
