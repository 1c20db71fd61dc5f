"""The badge, and the pace of a loop without a display."""

from lavlive.notices import Notices
from lavlive.pace import Pace


def test_news_fade_and_conditions_stay_until_they_are_over() -> None:
    notices = Notices()
    assert notices.badge(0) is None
    notices.tell("Preset Ambient", 0)
    notices.raise_condition("source", "No sound from Mixer", 1)
    assert notices.badge(2) == "No sound from Mixer  ·  Preset Ambient"
    assert notices.badge(60) == "No sound from Mixer"
    notices.clear("source")
    assert notices.badge(61) is None


def test_a_condition_that_is_raised_again_is_told_once() -> None:
    notices = Notices()
    for now in range(10):
        notices.raise_condition("engine", "Restarting", now)
    assert len(notices.history) == 1


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
    assert slept == [0.015, 0.02]
