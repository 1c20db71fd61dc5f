"""A private PulseAudio for tests: its own runtime folder, a null sink, no session bus, any user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import end, wait_until

START_SECONDS = 20.0
SINK = "stage"
MONITOR = "stage.monitor"
_ENVIRONMENT = ("PULSE_SERVER", "PULSE_SOURCE", "PULSE_SINK", "PULSE_RUNTIME_PATH", "PULSE_CLIENTCONFIG")


class PulseServer:
    """A PulseAudio daemon that can be killed and started again under the same address.

    Args:
        folder: for its socket and configuration.
        rate: of its null sink, hertz.
        channels: of its null sink.
    """

    def __init__(self, folder: Path, rate: int = 48_000, channels: int = 2) -> None:
        self.folder = folder
        self.socket = folder / "native"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(rate, channels)
        (folder / "client.conf").write_text("autospawn = no\n")

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find this server and no other."""
        return {
            "PULSE_SERVER": f"unix:{self.socket}",
            "PULSE_RUNTIME_PATH": str(self.folder),
            "PULSE_CLIENTCONFIG": str(self.folder / "client.conf"),
            "PULSE_SOURCE": MONITOR,
            "PULSE_SINK": SINK,
        }

    def configure(self, rate: int, channels: int) -> None:
        """Set the null sink's format for the next start."""
        (self.folder / "server.pa").write_text(
            f"load-module module-native-protocol-unix socket={self.socket} auth-anonymous=1\n"
            f"load-module module-null-sink sink_name={SINK} rate={rate} channels={channels}"
            " sink_properties=device.description=Stage\n"
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {key: value for key, value in os.environ.items() if key not in _ENVIRONMENT}
        environment |= {"PULSE_RUNTIME_PATH": str(self.folder), "HOME": str(self.folder)}
        environment |= {"XDG_RUNTIME_DIR": str(self.folder), "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
        command = ["pulseaudio", "-n", "-F", str(self.folder / "server.pa"), "--daemonize=no"]
        command += ["--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "--log-level=error"]
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        process = self._process
        try:
            wait_until(
                lambda: process.poll() is not None or self._answers(),
                START_SECONDS,
                lambda: "PulseAudio did not answer",
            )
        except AssertionError:
            self.end()
            raise
        if process.poll() is not None:
            self.end()
            raise RuntimeError("PulseAudio ended before it answered")

    def end(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End it, gently or not."""
        if self._process is not None:
            end(self._process, sign)
            self._process = None

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        """Play a sound file into the null sink; the caller waits for the process."""
        return subprocess.Popen(["paplay", str(path)], env=os.environ | self.environment)

    def control(self, *command: str) -> str:
        """Give the server a command of pactl's; returns what it prints."""
        environment = os.environ | self.environment
        return subprocess.run(
            ["pactl", *command],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def plug(self, sink: str) -> None:
        """Add a null sink with its monitor."""
        self.control("load-module", "module-null-sink", f"sink_name={sink}")

    def unplug(self, sink: str) -> None:
        """Take a null sink and its monitor away."""
        for line in self.control("list", "short", "modules").splitlines():
            if f"sink_name={sink}" in line:
                self.control("unload-module", line.split()[0])

    def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        try:
            query = subprocess.run(
                ["pactl", "info"], env=os.environ | self.environment, capture_output=True, timeout=5
            )
        except subprocess.TimeoutExpired:
            return False
        return query.returncode == 0


@contextmanager
def pulse_server(rate: int = 48_000, channels: int = 2) -> Iterator[PulseServer]:
    """A running private server that this process's libraries find; skips where none is installed."""
    missing = [name for name in ("pulseaudio", "pactl", "paplay") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    with tempfile.TemporaryDirectory(prefix="lavlive-pulse-") as folder:
        server = PulseServer(Path(folder), rate, channels)
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        server.start()
        os.environ.update(server.environment)
        try:
            yield server
        finally:
            server.end()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
