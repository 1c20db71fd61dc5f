"""Devices listed by another process: a driver that hangs or crashes keeps nobody waiting."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from lavlive.audio.listing import DeviceList
from lavlive.audio.spec import SourceSpec
from tests.support.waiting import wait_until


def looked(monkeypatch: pytest.MonkeyPatch, answer: str | Exception) -> DeviceList:
    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess([], 0, answer, "")

    monkeypatch.setattr("lavlive.audio.listing.subprocess.run", run)
    devices = DeviceList()
    devices.look()
    wait_until(lambda: not devices.looking)
    return devices


def test_what_is_found_can_be_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = looked(
        monkeypatch, '[["input: Scarlett", "input", "hw:1"], ["loopback: HDMI", "loopback", "m"]]'
    )
    assert devices.sources == {
        "input: Scarlett": SourceSpec("input", "hw:1"),
        "loopback: HDMI": SourceSpec("loopback", "m"),
    }


@pytest.mark.parametrize("answer", ["", "[[1]]", "{", subprocess.TimeoutExpired("x", 1.0), OSError("no")])
def test_a_look_that_fails_leaves_the_list_as_it_was(
    monkeypatch: pytest.MonkeyPatch, answer: str | Exception
) -> None:
    assert looked(monkeypatch, answer).sources == {}
