"""Monitors are found by number, name or part of a name, and missed when they go away."""

from __future__ import annotations

import pytest

from lavlive.errors import DisplayError
from lavlive.stage.output.monitors import Monitor, MonitorPresence, MonitorWatch, find_monitor

LAPTOP = Monitor(0, "eDP-1", 0, 0, 1920, 1200, 60)
BEAMER = Monitor(1, "EPSON PJ", 1920, 0, 1920, 1080, 60)
TWIN = Monitor(2, "EPSON PJ", 3840, 0, 1920, 1080, 60)


@pytest.mark.parametrize("wanted", [1, "1", "EPSON PJ", "epson", "pj"])
def test_a_monitor_is_found_by_number_name_or_part_of_it(wanted: int | str) -> None:
    assert find_monitor(wanted, [LAPTOP, BEAMER]) is BEAMER


def test_no_wish_means_the_primary_monitor() -> None:
    assert find_monitor(None, [LAPTOP, BEAMER]) is LAPTOP


@pytest.mark.parametrize("wanted", [7, "sony", "", "-1"])
def test_an_unknown_monitor_is_refused_with_all_names(wanted: int | str) -> None:
    with pytest.raises(DisplayError, match=r"eDP-1.*EPSON PJ"):
        find_monitor(wanted, [LAPTOP, BEAMER])


def test_twins_are_refused_by_name_and_found_by_number() -> None:
    with pytest.raises(DisplayError, match="Use the number"):
        find_monitor("EPSON", [LAPTOP, BEAMER, TWIN])
    assert find_monitor("2", [LAPTOP, BEAMER, TWIN]) is TWIN


def test_no_monitor_at_all_is_said() -> None:
    with pytest.raises(DisplayError, match="no monitor"):
        find_monitor(None, [])


def test_a_monitor_that_goes_and_comes_back_is_lost_once_and_returns_once() -> None:
    watch = MonitorWatch(BEAMER)
    lists = [[LAPTOP, BEAMER], [LAPTOP], [LAPTOP], [LAPTOP, BEAMER], [LAPTOP, BEAMER]]
    assert [watch.step(monitors) for monitors in lists] == [
        MonitorPresence.THERE,
        MonitorPresence.LOST,
        MonitorPresence.AWAY,
        MonitorPresence.RETURNED,
        MonitorPresence.THERE,
    ]


def test_a_window_that_was_moved_off_its_monitor_counts_as_lost_even_if_the_monitor_is_listed() -> None:
    watch = MonitorWatch(BEAMER)
    assert watch.step([LAPTOP, BEAMER], still_on_it=False) is MonitorPresence.LOST
    assert watch.step([LAPTOP, BEAMER]) is MonitorPresence.RETURNED


def test_another_monitor_never_takes_the_place_of_the_lost_one() -> None:
    watch = MonitorWatch(BEAMER)
    watch.step([LAPTOP])
    assert watch.step([LAPTOP, Monitor(1, "SONY", 1920, 0, 1920, 1080, 60)]) is MonitorPresence.AWAY


def test_of_twins_the_one_in_the_same_place_is_taken() -> None:
    watch = MonitorWatch(TWIN)
    watch.step([LAPTOP])
    watch.step([LAPTOP, BEAMER, TWIN])
    assert watch.monitor is TWIN
