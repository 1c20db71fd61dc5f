"""Images from files, as OpenGL has them: first row at the bottom."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from lavlive.errors import ShaderError
from lavlive.resources import is_no_file

LARGEST_SIDE = 4096
_LARGEST_FILE = 64 << 20


def read_image(path: Path) -> np.ndarray:
    """An image, uint8 [H, W, 4], first row at the bottom.

    Raises:
        ShaderError: it cannot be read, or is too large.
    """
    try:
        if is_no_file(path):
            raise ShaderError(f"{path.name} is not a file.")
        if path.stat().st_size > _LARGEST_FILE:
            raise ShaderError(f"{path.name} is larger than {_LARGEST_FILE >> 20} MiB.")
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            if max(frame.width, frame.height) > LARGEST_SIDE:
                raise ShaderError(f"{path.name} is larger than {LARGEST_SIDE} pixels.")
            pixels: np.ndarray = frame.to_ndarray(format="rgba")
    except (OSError, av.FFmpegError, StopIteration, IndexError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it holds no picture"
        raise ShaderError(f"{path.name} is no image that can be read: {reason}.") from None
    return np.ascontiguousarray(pixels[::-1])
