"""The governor and the mailbox: what gives way when the machine is too slow."""

import threading

from lavlive.engine.governor import Governor
from lavlive.engine.mailbox import Mailbox


def test_an_idle_machine_keeps_the_full_rate() -> None:
    governor = Governor(60.0, 1 / 75)
    for _ in range(600):
        rate = governor.step(1 / 75, 1 / 60)
    assert rate == 60.0
    assert not governor.limiting


def test_a_growing_backlog_lowers_the_rate_within_a_second_or_two() -> None:
    governor = Governor(60.0, 1 / 75)
    for _ in range(120):
        rate = governor.step(0.2, 1 / 60)
    assert rate < 20
    assert governor.limiting


def test_the_rate_never_falls_to_nothing_and_recovers() -> None:
    governor = Governor(60.0, 1 / 75)
    for _ in range(6000):
        rate = governor.step(5.0, 1 / 60)
    assert rate == 5.0
    for _ in range(60 * 40):
        rate = governor.step(0.0, 1 / 60)
    assert rate == 60.0


def test_a_mailbox_gives_the_newest_value_once() -> None:
    mailbox: Mailbox[int] = Mailbox()
    for value in range(5):
        mailbox.put(value)
    assert mailbox.take(0) == 4
    assert mailbox.take(0) is None
    assert mailbox.replaced == 4


def test_a_waiting_reader_wakes_when_a_value_comes() -> None:
    mailbox: Mailbox[str] = Mailbox()
    threading.Timer(0.05, mailbox.put, ["late"]).start()
    assert mailbox.take(timeout=10) == "late"
