"""What every runner is, and how a picture's numbers become bytes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from lavlive.errors import RunnerError
from lavlive.generator.bends import Bends

Pixels = npt.NDArray[np.uint8]
WPlus = npt.NDArray[np.float32]


class Runner(Protocol):
    """Makes pictures of one generator. One thread owns it: opening may happen elsewhere, pictures may not.

    Attributes:
        name: ``torch``, ``openvino``, ``cuda`` or ``mps``.
        height, width: of a picture.
        num_ws, w_dim: length and width of w+.
    """

    name: str
    height: int
    width: int
    num_ws: int
    w_dim: int

    def picture_into(self, w_plus: WPlus, noise: float, out: Pixels, bends: Bends = ()) -> None:
        """Make a picture of w+ float32 [L, w_dim] in ``out``, uint8 [H, W, 3], C-contiguous.

        ``noise`` scales the learned noise strengths. ``bends`` may begin some pictures later than they are
        asked for: what they need is built aside when the first one comes. Without any, nothing costs more.
        """
        ...

    def prepare_bends(self) -> None:
        """Build now what bends need, so that they begin with the next picture."""
        ...

    def close(self) -> None:
        """Let go of memory and threads. No picture may be asked for afterwards."""
        ...


def picture(runner: Runner, w_plus: WPlus, noise: float = 1.0, bends: Bends = ()) -> Pixels:
    """A picture in a buffer of its own, uint8 [H, W, 3]."""
    out = np.empty((runner.height, runner.width, 3), np.uint8)
    runner.picture_into(w_plus, noise, out, bends)
    return out


def require_colour(channels: int) -> None:
    """Raise RunnerError unless a network makes red, green and blue."""
    if channels != 3:
        raise RunnerError(f"This generator makes {channels} channels; lavlive shows pictures of 3 (RGB).")


class MadeOf:
    """Remembers what the last picture was made of, so that a still one is not made again."""

    def __init__(self) -> None:
        self._w_plus = b""
        self._noise = 0.0
        self._bends: Bends = ()

    def differs(self, w_plus: WPlus, noise: float, bends: Bends = ()) -> bool:
        """Whether these values are not exactly those of the call before."""
        # Bytes compare ten times faster than arrays.
        now = w_plus.tobytes()
        if noise == self._noise and bends == self._bends and now == self._w_plus:
            return False
        self._bends = bends
        self._w_plus = now
        self._noise = noise
        return True
