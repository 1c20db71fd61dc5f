"""Flashes on a wall: the nodes' limiters count together with the conductor's, so that none flashes alone."""

import numpy as np
import pytest

from lavlive.stage.canvas.limiter import (
    COLUMNS,
    ROWS,
    SPENT,
    SPENT_COLUMNS,
    SPENT_ROWS,
    WINDOW_SECONDS,
    FlashLimiter,
)
from lavlive.wall import messages
from lavlive.wall.conductor import Snapshot
from lavlive.wall.follower import Due, Follower
from lavlive.wall.messages import Content, Moment, pack_spent
from tests.support.wall_network import Network, NodeClock, SimulatedWall

FRAME = 1 / 60


def strobe(time: float) -> np.ndarray:
    """The left half of the wall flashes 7.5 times a second."""
    cells = np.zeros((SPENT_ROWS, SPENT_COLUMNS, 3), np.float32)
    cells[:, : SPENT_COLUMNS // 2] = float(time > 0.2 and (time * 15) % 2 >= 1)
    return cells


class FlashingWall(SimulatedWall):
    """A conductor and two nodes draw the same at 60 frames a second, each at its own moments.

    Args:
        late: seconds after which the second node begins.
        behind: seconds by which the conductor's pictures are later than its sound.
    """

    def __init__(self, late: float, behind: float) -> None:
        self.behind = behind
        self.limiter = FlashLimiter(SPENT_ROWS, SPENT_COLUMNS)
        self.limiters = [FlashLimiter(SPENT_ROWS, SPENT_COLUMNS) for _ in range(2)]
        self.light: list[list[tuple[float, np.ndarray]]] = [[], []]
        super().__init__([NodeClock(), NodeClock(0.3)], Network(0.001, 0.02, 0.02))
        self._later(0.004, self._conductor_draws)
        for number, begin in enumerate((0.0, late)):
            self._later(begin, lambda number=number: self._draw(number))  # type: ignore[misc]

    def _conductor_draws(self) -> None:
        self.limiter.step(strobe(self.now - self.behind), self.now)
        assert self.conductor is not None
        spent = self.limiter.spent()
        self.conductor.show(Snapshot(self.values.numbers, self.values.revision, spent=spent))
        self._later(self.now + FRAME, self._conductor_draws)

    def _draw(self, number: int) -> None:
        node, limiter = self.nodes[number], self.limiters[number]
        due = node.shown[-1][1] if node.shown else None
        if due is not None:
            now, wanted = node.clock.at(self.now), strobe(due.time)
            limiter.spend(node.follower.spent(due, now))
            shown = self.light[number][-1][1] if self.light[number] else wanted
            shown = shown + limiter.step(wanted, now) * (wanted - shown)
            self.light[number].append((self.now, shown))
        self._later(self.now + FRAME, lambda: self._draw(number))

    def changes(self, number: int) -> np.ndarray:
        """When the light of a node's first cell changed by more than half."""
        times = np.array([at for at, _ in self.light[number]])
        light = np.array([shown[0, 0, 0] for _, shown in self.light[number]])
        found: np.ndarray = times[1:][np.abs(np.diff(light)) > 0.5]
        return found


@pytest.mark.parametrize("behind", [0.0, 0.05])
def test_a_node_that_comes_late_does_not_flash_while_the_others_are_held(behind: float) -> None:
    # It has shown nothing yet, so its own limiter would let six changes pass at once.
    wall = FlashingWall(late=0.7, behind=behind)
    wall.run(1.95)
    first, late = wall.changes(0), wall.changes(1)
    held = first[np.argmax(np.diff(first))], first[np.argmax(np.diff(first)) + 1]
    assert held[0] < 0.7
    assert held[1] > 1.2
    assert late.min() > held[1] - 1 / 15 - FRAME
    # What is within two frames is one change to the eye. The late node began with what was wanted then, so
    # its first change may be one more; without the conductor's word there are twelve in a second.
    changes = np.sort(np.concatenate([first, late]))
    together = changes[np.insert(np.diff(changes) > 2 * FRAME, 0, True)]
    assert _most_in_a_second(together) <= 7
    assert _most_in_a_second(first) <= 6
    assert _most_in_a_second(late) <= 6


def _most_in_a_second(times: np.ndarray) -> int:
    return max(int(np.sum((times > at - 1.0) & (times <= at))) for at in times)


def test_the_stages_grid_of_spent_places_is_the_messages() -> None:
    assert SPENT == messages.SPENT
    limiter = FlashLimiter()
    assert limiter.spent().shape == (SPENT,)
    for frame in range(7):
        limiter.step(np.full((ROWS, COLUMNS, 3), frame % 2, np.float32), 10.0 + 0.1 * frame)
    until = limiter.spent()
    assert until == pytest.approx(10.1 + WINDOW_SECONDS, abs=1e-6)
    packed = pack_spent(until, 10.6)
    assert len(packed) == SPENT
    assert pack_spent(until, 12.0) == b""


def test_places_spent_elsewhere_may_not_change_until_then_and_the_rest_may() -> None:
    dark, light = (np.full((ROWS, COLUMNS, 3), value, np.float32) for value in (0.0, 1.0))
    limiter = FlashLimiter()
    limiter.step(dark, 10.0)
    until = np.zeros(SPENT)
    until[:-1].reshape(SPENT_ROWS, SPENT_COLUMNS)[:, :16] = 10.5
    limiter.spend(until)
    half = dark.copy()
    half[:, 32:] = 1.0
    assert limiter.step(half, 10.1) == 1.0
    assert limiter.step(light, 10.2) < 0.15
    assert limiter.step(light, 10.6) == 1.0


def test_what_was_told_last_of_a_clock_that_jumped_holds_no_node_for_long() -> None:
    follower = Follower("one", "test")
    moment = Moment(
        show=1, sequence=1, captured=0.0, sent=0.0, delay=0.1, width=0, deviation=b"", numbers=b"", revision=0
    )
    content = Content(moment, np.zeros((3, 0)), np.zeros(0), None, None, {}, np.full(SPENT, 1e9))
    assert follower.spent(Due(content, 5.0, 0.0), 5.0) == pytest.approx(5.0 + 1.275)
    assert follower.spent(Due(content, 5.0, 0.0), 6.0) is None
