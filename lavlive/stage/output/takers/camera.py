"""A virtual camera for other programs, through pyvirtualcam (the extra ``camera``, under the GPL).

Never run by us: no machine with such a camera was at hand. Written after pyvirtualcam's reference.
"""

from __future__ import annotations

import av
import numpy as np

from lavlive.errors import OutputError, OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.recording.video import fitted

_HOW = "on Linux load v4l2loopback, on macOS and Windows install OBS"


class CameraTaker:
    """One camera of a fixed size, which it keeps.

    Raises:
        OutputMissingError: pyvirtualcam is missing.
        OutputError: there is no virtual camera.
    """

    def __init__(self, size: tuple[int, int], rate: float) -> None:
        try:
            import pyvirtualcam
        except ImportError:
            raise OutputMissingError(
                "A virtual camera needs pyvirtualcam (GPL): pip install 'lavlive[camera]'."
            ) from None
        self._size = size
        try:
            self._camera = pyvirtualcam.Camera(*size, rate)
        except RuntimeError:
            raise OutputError(f"There is no virtual camera: {_HOW}.") from None

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Show a canvas; cameras have no sound."""
        pixels = fitted(shot.pixels, self._size)
        if pixels.shape[1::-1] != self._size:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            pixels = frame.reformat(*self._size, interpolation="BILINEAR").to_ndarray()
        self._camera.send(np.ascontiguousarray(pixels))

    def hear(self, sound: list[SoundBlock]) -> None:
        """Nothing: cameras have no sound."""

    def close(self) -> None:
        """Give the camera back."""
        self._camera.close()
