"""Where the operator's panel can stand without covering the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lavlive.stage.output.monitors import Geometry

_EDGE = 40
"""Height that a window's title takes at the most."""
_LEAST = (760, 480)
"""Width and height below which a panel cannot be used."""


class Room(NamedTuple):
    """Places in screen coordinates: the panel's, and the picture's window, which may have moved aside."""

    panel: Geometry
    picture: Geometry


def room_for_panel(
    monitors: Sequence[Geometry], picture: Geometry, fullscreen: bool, size: tuple[int, int]
) -> Room | None:
    """Where a panel of that size stands best; None where it would cover a picture in full screen.

    On another monitor if there is one; else beside the picture's window; else the window becomes smaller
    and goes to the right.
    """
    if not monitors:
        return Room(Geometry(0, 0, *size), picture)
    here = max(monitors, key=picture.shared)
    others = [monitor for monitor in monitors if not monitor.shared(here)]
    if others:
        return Room(others[0].inside(size), picture)
    if fullscreen:
        return None
    right, bottom = picture.x + picture.width, picture.y + picture.height
    free = [
        Geometry(here.x, here.y + _EDGE, picture.x - here.x, here.height - _EDGE),
        Geometry(right, here.y + _EDGE, here.x + here.width - right, here.height - _EDGE),
        Geometry(here.x, here.y + _EDGE, here.width, picture.y - here.y - 2 * _EDGE),
        Geometry(here.x, bottom + _EDGE, here.width, here.y + here.height - bottom - _EDGE),
    ]
    fitting = [place for place in free if place.width >= _LEAST[0] and place.height >= _LEAST[1]]
    if fitting:
        best = max(fitting, key=lambda place: min(place.width, size[0]) * min(place.height, size[1]))
        return Room(Geometry(best.x, best.y, min(best.width, size[0]), min(best.height, size[1])), picture)
    width = min(picture.width, max(here.width - size[0], here.width // 4))
    height = max(1, round(width * picture.height / picture.width))
    aside = Geometry(here.x + here.width - width, here.y + _EDGE, width, height)
    panel = Geometry(here.x, here.y + _EDGE, here.width - width, min(size[1], here.height - _EDGE))
    return Room(panel, aside)
