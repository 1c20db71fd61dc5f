"""Where the panel stands so that it covers no picture."""

from __future__ import annotations

from lavlive.stage.output.monitors import Geometry
from lavlive.stage.output.room import room_for_panel

SIZE = (1180, 860)
LAPTOP, PROJECTOR = Geometry(0, 0, 1920, 1080), Geometry(-1280, -200, 1280, 800)


def test_the_panel_goes_to_the_monitor_that_the_picture_is_not_on() -> None:
    room = room_for_panel([LAPTOP, PROJECTOR], PROJECTOR, True, SIZE)
    assert room is not None
    assert room.picture == PROJECTOR
    assert LAPTOP.shared(room.panel) == SIZE[0] * SIZE[1]
    other = room_for_panel([LAPTOP, PROJECTOR], LAPTOP, True, SIZE)
    assert other is not None
    assert PROJECTOR.shared(other.panel) == 1180 * 800, "no larger than the monitor"


def test_on_the_only_monitor_the_panel_does_not_open_over_a_picture_in_full_screen() -> None:
    assert room_for_panel([LAPTOP], LAPTOP, True, SIZE) is None
    mirrored = Geometry(0, 0, 1920, 1080)
    assert room_for_panel([LAPTOP, mirrored], LAPTOP, True, SIZE) is None


def test_beside_a_window_there_may_be_room() -> None:
    window = Geometry(1300, 100, 600, 340)
    room = room_for_panel([LAPTOP], window, False, SIZE)
    assert room is not None
    assert room.picture == window
    assert not room.panel.shared(window)
    assert room.panel.width >= 1180


def test_a_window_in_the_way_moves_aside_and_becomes_smaller() -> None:
    for screen in (LAPTOP, Geometry(0, 0, 1366, 768), Geometry(-1024, 50, 1024, 768)):
        window = Geometry(screen.x + 100, screen.y + 50, 900, 600)
        room = room_for_panel([screen], window, False, SIZE)
        assert room is not None
        assert not room.panel.shared(room.picture)
        assert screen.shared(room.panel) == room.panel.width * room.panel.height
        assert screen.shared(room.picture) == room.picture.width * room.picture.height
        assert room.panel.width >= 760
        assert abs(room.picture.width / room.picture.height - 1.5) < 0.02
