"""A JACK server of the tests' own, and controllers made of its MIDI ports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.waiting import end, first_line, wait_until


@contextmanager
def jack_server() -> Iterator[str]:
    """Run ``jackd -d dummy`` under a name that nobody else uses; ends it by its process id."""
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    name = f"lavlive-test-{os.getpid()}"
    before = {key: os.environ.get(key) for key in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")}
    server = subprocess.Popen(
        ["jackd", "--no-realtime", "-S", "-t", "1000", "-n", name, "-d", "dummy", "-r", "48000", "-p", "256"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ["JACK_DEFAULT_SERVER"] = name
    os.environ["JACK_NO_START_SERVER"] = "1"
    try:
        wait_until(
            lambda: any(Path("/dev/shm").glob(f"jack_{name}_*")),
            20.0,
            lambda: f"jackd did not start (status {server.poll()})",
        )
        yield name
    finally:
        end(server)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


_CONTROLLER = """
import json, sys, rtmidi
name, listens = sys.argv[1], sys.argv[2] == "True"
out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name + " out" * listens)
out.open_virtual_port("midi")
if listens:
    into = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name + " in")
    into.set_callback(lambda arrived, _: print(json.dumps(arrived[0]), flush=True))
    into.open_virtual_port("midi")
print("[]", flush=True)
for line in sys.stdin:
    out.send_message(json.loads(line))
for end in (out, into) if listens else (out,):
    end.close_port()
    end.delete()
"""


class Controller:
    """A MIDI controller in software: a process with one JACK port out, and one in if it listens.

    It is a process of its own, as a real device is nothing of ours, and because JACK's library does not
    bear clients being opened and closed by two threads of one process at the same moment. One that
    listens is called ``NAME out`` where it sends and ``NAME in`` where it hears.
    """

    plugged_in: ClassVar[list[Controller]] = []

    def __init__(self, name: str = "knobs", listens: bool = False) -> None:
        self.heard: list[list[int]] = []
        self.plugged_in.append(self)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLER, name, str(listens)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert first_line(self._process.stdout) == "[]", "the controller did not start"
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.heard.append(json.loads(line))

    def send(self, *message: int) -> None:
        """Send one message."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{list(message)}\n")
        self._process.stdin.flush()

    def cc(self, number: int, value: int, channel: int = 1) -> None:
        """Turn the knob of that number."""
        self.send(0xB0 | channel - 1, number, value)

    @classmethod
    def unplug_all(cls) -> None:
        """Leave nothing behind for the next test, whatever happened in this one."""
        while cls.plugged_in:
            cls.plugged_in.pop().unplug()

    def unplug(self) -> None:
        """End the process: the device is gone. Once more does nothing."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:  # JACK hangs for as long as a killed client is missed
                self._process.kill()
                self._process.wait(30)
            self._reader.join(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
