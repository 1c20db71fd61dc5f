"""Who paces the loop: a display with its own times, simulated here, or the timer."""

from __future__ import annotations

import numpy as np
import pytest

from lavlive.show.pace import ShowPace


class Display:
    """A window's display: `present` takes what drawing takes, then waits for the next picture's time."""

    def __init__(self, rate: float, drawing: float, waits: bool = True) -> None:
        self.now = 100.0
        self.rate, self.drawing, self.waits = rate, drawing, waits
        self.seen: list[int] = []
        self.listened = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def listen(self) -> None:
        self.listened += 1

    def present(self) -> None:
        self.now += self.drawing
        if self.waits:
            period = int(self.now * self.rate) + 1
            self.now = period / self.rate + 1e-9
            self.seen.append(period)

    def run(self, seconds: float, told_rate: float | None) -> np.ndarray:
        """When each picture was shown."""
        pace = ShowPace(60.0, self.clock, self.sleep)
        end, times = self.now + seconds, []
        while self.now < end:
            self.present()
            times.append(self.now)
            pace.wait(told_rate, meanwhile=self.listen)
        return np.array(times)


@pytest.mark.parametrize("rate", [30.0, 59.94, 60.0, 75.0, 120.0, 144.0, 240.0])
def test_a_display_gets_a_picture_in_each_of_its_periods(rate: float) -> None:
    display = Display(rate, drawing=0.3 / rate)
    display.run(3.0, round(rate))
    assert set(np.diff(display.seen)) == {1}
    assert display.listened > len(display.seen)


def test_drawing_that_takes_most_of_a_period_is_begun_at_once() -> None:
    display = Display(144.0, drawing=0.9 / 144)
    display.run(20.0, 144.0)
    steps = np.diff(display.seen)
    assert set(steps) <= {1, 2}
    assert np.mean(steps[100:] == 2) < 0.01


def test_a_display_that_does_not_hold_pictures_up_leaves_the_pace_to_the_timer() -> None:
    display = Display(144.0, drawing=0.001, waits=False)
    times = display.run(3.0, 144.0)
    assert np.diff(times[40:]) == pytest.approx(1 / 60, abs=1e-6)


def test_without_a_display_the_timer_paces() -> None:
    display = Display(144.0, drawing=0.001, waits=False)
    times = display.run(1.0, None)
    assert np.diff(times[1:]) == pytest.approx(1 / 60, abs=1e-6)
