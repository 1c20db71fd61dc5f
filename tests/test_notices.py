"""Notices, the terminal that shows them, and the pace of a loop without a display."""

import io
import os
import threading

import pytest

from lavlive.show.pace import Pace
from lavlive.show.terminal import Terminal
from lavlive.stage.notices import Notices


def test_news_fade_and_conditions_stay_until_they_are_over() -> None:
    notices = Notices()
    assert notices.badge(0) is None
    notices.tell("Preset Ambient", 0)
    notices.raise_condition("source", "No sound from Mixer", 1)
    assert notices.badge(2) == "No sound from Mixer  ·  Preset Ambient"
    assert notices.badge(60) == "No sound from Mixer"
    notices.clear("source")
    assert notices.badge(61) is None


def test_a_file_name_of_no_letters_is_told_in_one_line_that_everything_can_show() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    name = os.fsdecode(b"caf\xe9\n\x1b[2J.wav")
    for now in range(3):
        notices.raise_condition("source", f"{name} is no sound", now)
    badge = notices.badge(3)
    assert badge == said[0] == "caf\ufffd \ufffd[2J.wav is no sound"
    assert badge.encode("utf-8")
    assert len(notices.history) == 1


def test_a_condition_that_is_raised_again_is_told_once() -> None:
    notices = Notices()
    for now in range(10):
        notices.raise_condition("engine", "Restarting", now)
    assert len(notices.history) == 1


def test_every_line_is_said_once_where_nobody_looks() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    for now in (0.0, 0.1):
        notices.raise_condition("engine", "Starting the engine again", now)
        notices.tell("Pictures are made without openvino", now)
        notices.tell("Pictures are made without openvino", now)
    assert said == ["Starting the engine again", "Pictures are made without openvino"]


class StoppedTerminal(io.StringIO):
    """Takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        assert self.let_go.wait(30)
        return super().write(text)


def test_a_stopped_terminal_keeps_nobody_waiting_and_gets_the_lines_later() -> None:
    stream = StoppedTerminal()
    terminal = Terminal(stream)
    for number in range(1000):
        terminal.say(f"line {number}")
    assert terminal.dropped > 0
    stream.let_go.set()
    terminal.close()
    assert stream.getvalue().startswith("lavlive: line 0\nlavlive: line 1\n")


def test_steps_are_even_and_a_late_one_is_not_caught_up() -> None:
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    pace = Pace(50.0, lambda: now[0], sleep)
    now[0] += 0.005
    pace.wait()
    now[0] += 0.5
    pace.wait()
    pace.wait()
    assert sum(slept) == pytest.approx(0.035)


def test_a_step_begins_early_when_there_is_something_to_do() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(50.0, lambda: now[0], sleep)
    pace.wait(lambda: now[0] >= 0.007)
    assert 0.007 <= now[0] < 0.01
    pace.wait()
    assert now[0] == pytest.approx(0.028, abs=0.003)


def test_something_else_is_looked_after_while_a_step_is_waited_for() -> None:
    now = [0.0]
    looked: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(50.0, lambda: now[0], sleep)
    pace.wait(meanwhile=lambda: looked.append(now[0]))
    assert looked == pytest.approx([0.002 * n for n in range(10)])
