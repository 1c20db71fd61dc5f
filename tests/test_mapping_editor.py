"""Surfaces under hands: points by arrow keys and mouse, chosen in turn, and all of it taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavlive.stage.output.mapping.editor import Editor, marked_position
from lavlive.stage.output.mapping.geometry import flat_grid, homography, through
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import WHOLE, Screen, Slice, Surfaces
from lavlive.stage.output.mapping.surfaces_file import read_surfaces, write_surfaces

PIXEL = (1 / 1000, 1 / 500)
TWO = Surfaces((Screen("left", slices=(Slice(), Slice())), Screen("right")))


def editor_of(surfaces: Surfaces = TWO) -> tuple[Editor, list[Surfaces]]:
    changes: list[Surfaces] = []
    return Editor(surfaces, changes.append), changes


@pytest.mark.parametrize(("held", "pixels"), [((), 1.0), (("shift",), 10.0), (("ctrl",), 0.1)])
def test_arrows_move_the_chosen_corner_by_pixels(held: tuple[str, ...], pixels: float) -> None:
    editor, changes = editor_of()
    assert editor.key("right", held, PIXEL, 0.0)
    assert editor.key("down", held, PIXEL, 0.1)
    assert editor.chosen.corners[0] == pytest.approx((pixels / 1000, pixels / 500))
    assert editor.chosen.corners[1:] == WHOLE[1:]
    assert len(changes) == 2
    assert not editor.key("f", (), PIXEL, 0.2)


def test_points_and_slices_are_chosen_in_turn_over_all_screens() -> None:
    editor, _ = editor_of()
    for expected in (1, 2, 3, 0):
        editor.key(".", (), PIXEL, 0.0)
        assert editor.point == expected
    editor.key(",", (), PIXEL, 0.0)
    assert editor.point == 3
    for expected_slice in ((0, 1), (1, 0), (0, 0)):
        editor.key("]", (), PIXEL, 0.0)
        assert (editor.screen, editor.part) == expected_slice
    editor.key("[", (), PIXEL, 0.0)
    assert (editor.screen, editor.part) == (1, 0)


def test_a_corner_never_goes_where_the_slice_would_cross_itself() -> None:
    editor, changes = editor_of()
    editor.move((1.5, 1.5), 0.0)
    assert editor.chosen == Slice()
    assert changes == []


def test_a_grid_point_moves_by_pixels_of_the_screen_whatever_the_corners_do() -> None:
    corners = ((0.1, 0.05), (0.85, 0.2), (0.95, 0.9), (0.05, 0.8))
    editor, _ = editor_of(Surfaces((Screen(slices=(Slice(corners=corners),)),)))
    editor.key("g", (), PIXEL, 0.0)
    editor.point = 5
    before = through(homography(corners), np.array([flat_grid()[5]]))[0]
    editor.key("right", ("shift",), PIXEL, 0.0)
    assert editor.chosen.grid is not None
    after = through(homography(corners), np.array([editor.chosen.grid[5]]))[0]
    assert after - before == pytest.approx([0.01, 0.0], abs=1e-9)
    assert editor.place == pytest.approx((1 / 3, 1 / 3))
    assert marked_position(editor.chosen, (0.0, 0.0)) == pytest.approx(corners[0])
    editor.key("backspace", (), PIXEL, 1.0)
    assert editor.chosen.grid is None


def test_the_mouse_takes_the_nearest_point_or_else_the_slice_that_lies_there() -> None:
    inner = Slice(corners=((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)))
    editor, _ = editor_of(Surfaces((Screen(slices=(Slice(), inner)), Screen())))
    assert editor.grab(0, (0.97, 0.98))
    editor.drag((0.90, 0.95))
    editor.drag((0.87, 0.93))
    editor.drop()
    assert editor.chosen.corners[2] == pytest.approx((0.9, 0.95))
    editor.drag((0.1, 0.1))
    assert editor.chosen.corners[2] == pytest.approx((0.9, 0.95)), "nobody holds it"
    assert not editor.grab(0, (0.5, 0.5))
    assert editor.part == 1
    assert editor.undo()
    assert editor.surfaces.screens[0].slices[0] == Slice()
    editor.grab(1, (0.5, 0.5))
    assert editor.screen == 1


def test_everything_is_taken_back_in_order_and_done_again() -> None:
    editor, changes = editor_of()
    for number in range(5):  # held down: one step
        editor.key("right", (), PIXEL, number * 0.05)
    editor.key("right", (), PIXEL, 10.0)
    editor.add_slice(11.0)
    editor.change_slice(12.0, right=0.2)
    editor.change_screen(13.0, rotate=90, delay=3)
    editor.add_screen(14.0)
    editor.remove_screen(15.0)
    last = editor.surfaces
    seen = []
    while editor.undo():
        seen.append(editor.surfaces)
    assert editor.surfaces == TWO
    assert len(seen) == 7
    assert changes[-1] == TWO
    while editor.redo():
        pass
    assert editor.surfaces == last


def test_what_no_slice_can_be_is_refused_and_the_last_slice_and_screen_stay() -> None:
    editor, changes = editor_of(Surfaces())
    with pytest.raises(ValueError, match="within the canvas"):
        editor.change_slice(0.0, input=(0.5, 0.0, 0.9, 1.0))
    editor.remove_slice(1.0)
    editor.remove_screen(2.0)
    assert editor.surfaces == Surfaces()
    assert changes == []


def test_editing_begins_a_mapping_takes_keys_and_is_written_once_it_rests(tmp_path: Path) -> None:
    path = tmp_path / "surfaces.toml"
    told: list[str] = []
    mapping = ScreenMapping(path, None, told.append)
    assert not mapping.on
    assert not mapping.key("right", (), (100, 50))
    mapping.toggle_editing()
    assert mapping.on
    assert "arrows move" in told[0]
    mapping.step(1.0)
    assert mapping.key("right", (), (100, 50))
    assert mapping.marked(0) == (0, (0.0, 0.0))
    assert mapping.marked(1) is None
    assert not mapping.key("f", (), (100, 50)), "the show has the other keys"
    assert mapping.key("t", (), (100, 50))
    assert mapping.pattern
    mapping.identify()
    assert mapping.label(0) == "1 screen"
    mapping.step(9.0)
    assert mapping.label(0) == ""
    mapping.key("escape", (), (100, 50))
    assert not mapping.editing
    assert not mapping.pattern
    mapping.close()
    assert read_surfaces(path).screens[0].slices[0].corners[0] == pytest.approx((0.01, 0.0))


def test_a_file_that_somebody_else_writes_is_taken_and_can_be_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "surfaces.toml"
    told: list[str] = []
    mapping = ScreenMapping(path, None, told.append)
    write_surfaces(path, TWO)
    now = 0.0
    while not mapping.on:
        now += 1.0
        mapping.step(now)
    assert mapping.surfaces == TWO
    assert told == ["surfaces.toml changed on disk"]
    assert mapping.editor.undo()
    assert mapping.surfaces == Surfaces()
    mapping.close()
