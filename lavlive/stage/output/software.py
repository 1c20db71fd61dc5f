"""Where the processor draws, for want of a graphics driver: drawing gives way to sound and pictures."""

from __future__ import annotations

import moderngl

from lavlive.stage.canvas.canvas import Canvas
from lavlive.stage.canvas.trials import ShaderTrials

CANVAS = (640, 360)
"""The canvas's limit there: the processor is needed for sound and pictures."""
INTERVAL = 1 / 31
"""Least seconds between two drawings with effects there."""
_SHARE = 0.3
"""Of the time that drawings with effects may take there."""
_BUDGET, _SOFTWARE_BUDGET = 0.004, 0.1
"""Seconds that a shader in the rack may take on a graphics card, and where the processor draws."""
_RENDERERS = ("llvmpipe", "softpipe", "swrast", "software", "gdi generic")


def is_software(context: moderngl.Context) -> bool:
    """Whether the processor draws."""
    renderer = str(context.info["GL_RENDERER"]).lower()
    return any(name in renderer for name in _RENDERERS)


def within(size: tuple[int, int], limit: tuple[int, int]) -> tuple[int, int]:
    """A size of the same shape that is nowhere larger than the limit; itself where it is not."""
    shrink = max(1.0, size[0] / limit[0], size[1] / limit[1])
    return round(size[0] / shrink), round(size[1] / shrink)


def even_within(size: tuple[int, int], limit: tuple[int, int] | None) -> tuple[int, int]:
    """As `within`, in even numbers where it shrinks, as video wants; without a limit the size itself."""
    if limit is None or (size[0] <= limit[0] and size[1] <= limit[1]):
        return size
    width, height = within(size, limit)
    return max(2, width - width % 2), max(2, height - height % 2)


def set_for_show(canvas: Canvas, software: bool) -> None:
    """Make a canvas fit for a show: no shader may cost it much, nor hold it up while it is compiled.

    The canvas's context is current.
    """
    if software:
        canvas.least_interval = INTERVAL
    canvas.prepare()
    if canvas.rack is not None:
        canvas.rack.budget = _SOFTWARE_BUDGET if software else _BUDGET
        canvas.rack.trials = ShaderTrials()


def interval_for(seconds: float) -> float:
    """Least seconds between two drawings that take `seconds` each, so that the rest has its time."""
    return max(INTERVAL, seconds / _SHARE)
