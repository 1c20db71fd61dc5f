"""What is shown where: screens, and on them slices of the canvas. Values only; nothing is drawn here.

Places are parts of the whole, 0 to 1, right and down: of the canvas for what a slice takes, of the screen for
where it goes, of the slice for masks and for the grid that bends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]
WHOLE: Corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
GRID = 4
"""Points of a bent slice's grid, across and down."""
MOST_DELAY = 10
MOST_POINTS = 256
"""Of all masks of one slice."""
LARGEST_CANVAS = (8192, 4096)

Share = Annotated[float, Meta(ge=0, le=1)]


def is_convex(corners: Corners) -> bool:
    """Whether four corners go round, clockwise on a screen or (mirrored) against it, without a dent."""
    points = np.asarray(corners, float)
    sides = np.roll(points, -1, axis=0) - points
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    return bool(np.all(turns > 1e-9) or np.all(turns < -1e-9))


@dataclass(frozen=True, slots=True)
class Mask:
    """A polygon inside (or outside) which a slice is seen; in parts of the slice.

    Attributes:
        points: three or more, in order.
        keep: ``inside`` or ``outside``.
    """

    points: Annotated[
        tuple[Point, ...],
        Meta(min_length=3, max_length=MOST_POINTS, description="points has three or more places [x, y]."),
    ]
    keep: Literal["inside", "outside"] = "inside"


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the canvas, and the four corners on the screen that it is stretched to.

    Attributes:
        input: left, top, width and height in the canvas.
        corners: top left, top right, bottom right, bottom left, on the screen; they may lie outside it.
        grid: None, or 4 × 4 points row by row that bend the slice as a Bézier surface within its corners.
        left, right, top, bottom: width of the soft edge there, in parts of the slice; 0 for none.
        gamma: of the projector, for the soft edges: ``srgb``, or an exponent.
        masks: where it is seen; a place has to be right for all of them.
    """

    input: Annotated[
        tuple[float, float, float, float], Meta(description="input is [left, top, width, height].")
    ] = (0.0, 0.0, 1.0, 1.0)
    corners: Annotated[Corners, Meta(description="corners is four places [x, y].")] = WHOLE
    grid: (
        Annotated[
            tuple[Point, ...],
            Meta(min_length=16, max_length=16, description="grid is 16 places [x, y], row by row."),
        ]
        | None
    ) = None
    left: Annotated[Share, Meta(description="left is 0 to 1.")] = 0.0
    right: Annotated[Share, Meta(description="right is 0 to 1.")] = 0.0
    top: Annotated[Share, Meta(description="top is 0 to 1.")] = 0.0
    bottom: Annotated[Share, Meta(description="bottom is 0 to 1.")] = 0.0
    gamma: Literal["srgb"] | Annotated[float, Meta(ge=1, le=4, description='gamma is "srgb", or 1 to 4.')] = (
        "srgb"
    )
    masks: tuple[Mask, ...] = ()

    def __post_init__(self) -> None:
        x, y, width, height = self.input
        if not (
            width > 0 and height > 0 and x >= 0 and y >= 0 and x + width <= 1.0001 and y + height <= 1.0001
        ):
            raise ValueError("input is [left, top, width, height] within the canvas, 0 to 1.")
        if not all(-4 <= value <= 5 for corner in self.corners for value in corner):
            raise ValueError("corners lie within four screens' sizes.")
        if not is_convex(self.corners):
            raise ValueError(
                "corners go round (top left, top right, bottom right, bottom left) without a dent."
            )
        if sum(len(mask.points) for mask in self.masks) > MOST_POINTS:
            raise ValueError(f"masks of a slice have at most {MOST_POINTS} points together.")


@dataclass(frozen=True, slots=True)
class Screen:
    """One projector or display.

    Attributes:
        name: what the performer calls it.
        monitor: number or (part of the) name of the monitor; None for whichever the window is on.
        flip: for projection from behind, or from the ceiling.
        rotate: degrees clockwise by which it stands turned.
        delay: pictures by which it is late, to wait for slower ones.
        gain: of its light, where projectors differ.
        black: light that is added where no soft edge is, as dark as two projectors' black together.
        slices: drawn in order.
    """

    name: str = "screen"
    monitor: str | int | None = None
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    rotate: Annotated[Literal[0, 90, 180, 270], Meta(description="rotate is 0, 90, 180 or 270.")] = 0
    delay: Annotated[int, Meta(ge=0, le=MOST_DELAY, description="delay is 0 to 10 pictures.")] = 0
    gain: Annotated[float, Meta(ge=0, le=4, description="gain is 0 to 4.")] = 1.0
    black: Annotated[float, Meta(ge=0, le=0.25, description="black is 0 to 0.25.")] = 0.0
    slices: tuple[Slice, ...] = (Slice(),)

    @property
    def turned(self) -> bool:
        """Whether its width is the monitor's height."""
        return self.rotate in (90, 270)


@dataclass(frozen=True, slots=True)
class Surfaces:
    """All screens of a room.

    Attributes:
        screens: one or more; the first is shown by the main window.
        canvas: width and height in pixels; None follows the main window.
    """

    screens: tuple[Screen, ...] = (Screen(),)
    canvas: (
        Annotated[
            tuple[
                Annotated[int, Meta(ge=64, le=LARGEST_CANVAS[0])],
                Annotated[int, Meta(ge=64, le=LARGEST_CANVAS[1])],
            ],
            Meta(description="canvas is [width, height], 64 to 8192 and 64 to 4096."),
        ]
        | None
    ) = None
