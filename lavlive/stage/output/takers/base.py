"""What a taker is: something that gives the canvas, and with it the sound, to somebody outside.

A kind of taker is a file in this folder with a `Taker`, a line in `kinds.KINDS`, an `OutletSpec` in
`kinds.outlets_of`, and an action ``output.NAME``. What it needs besides
lavlive is imported when one is opened, never before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lavlive.stage.canvas.readback import Shot


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """A stretch of the show's sound.

    Attributes:
        samples: float32 [n, 2], -1 to 1, 48 000 a second.
        time: when the first one belongs to what is seen, seconds of `time.perf_counter`.
    """

    samples: np.ndarray
    time: float


class Taker(Protocol):
    """Gives canvas and sound away. Opened, used and closed by one thread, in which it may wait.

    Whatever it raises ends it; it is opened again after a while. What an operator should read comes as an
    `OutputError`, and without any secret.
    """

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Give away a canvas, and the sound that came since the last call.

        Raises:
            OutputError, OSError: it cannot be given.
        """

    def hear(self, sound: list[SoundBlock]) -> None:
        """Give away sound that came since the last call of this or of `take`, between canvases.

        Raises:
            OutputError, OSError: it cannot be given.
        """

    def close(self) -> None:
        """Let go of everything; called once."""
