"""Faults to inject into a running show, one function each; `FAULTS` has them by name.

A fault does its harm, holds it for a while where it has a duration, and mends what a real world would mend
(the device is plugged in again, the disk is emptied). It returns one line on what it did. What the show
must do about it is judged by `tools.robustness.soak`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import psutil
import soundfile

from lavlive.audio.spec import SourceSpec
from lavlive.resources import generator_file
from tests.support.jack import Controller
from tests.support.pulse import PulseServer
from tests.support.stage_process import StageProcess
from tests.support.waiting import end
from tests.support.wishes import Listen, Record, ShowModel, StopRecording

OWN_PRESET = "soaked"
_GOOD_PRESET = f'schema = 1\nname = "{OWN_PRESET}"\n[values]\nmapper.y = 1.3\n'
_MODEL_REQUESTS = 20
DISK_BYTES = 56 << 20
"""A little more than the recorder wants to see free."""


class Music:
    """Plays a track into a sound server again and again, as long as there is one."""

    def __init__(self, pulse: PulseServer, track: Path) -> None:
        self._pulse = pulse
        self._track = track
        self._playing: subprocess.Popen[bytes] | None = None
        self._began = float("-inf")

    def tend(self) -> None:
        """Go on playing after an end, or after the server came back."""
        if self._playing is not None and self._playing.poll() is not None:
            self._playing = None
        if self._playing is None and time.perf_counter() - self._began > 0.2:
            self._began = time.perf_counter()
            environment = os.environ | self._pulse.environment
            command = ["paplay", str(self._track)]
            self._playing = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """Be quiet."""
        if self._playing is not None:
            end(self._playing)
            self._playing = None


@dataclass
class Rig:
    """A show and what surrounds it; faults use what they need of it.

    Attributes:
        folder: for files of the faults.
        source: what the show listens to when nothing else is said.
        osc_port: where the stage hears OSC.
        model: a second generator.
        disk: a small file system of its own, or None: then a full disk is only pretended.
    """

    stage: StageProcess
    chance: random.Random
    folder: Path
    source: SourceSpec
    osc_port: int
    model: Path
    pulse: PulseServer | None = None
    music: Music | None = None
    controller: Controller | None = None
    display: str | None = None
    disk: Path | None = None
    udp: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def hold(self, seconds: float) -> None:
        """Let time pass, with music and a stage that is still there."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and self.stage.alive:
            if self.music is not None:
                self.music.tend()
            time.sleep(0.05)

    def osc(self, packet: bytes) -> None:
        """Send a datagram to the stage."""
        self.udp.sendto(packet, ("127.0.0.1", self.osc_port))


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        possible: whether a rig has what it needs.
        ends_engine: a new engine is expected after it, with the same state.
    """

    name: str
    run: Callable[[Rig], str]
    possible: Callable[[Rig], bool]
    ends_engine: bool


FAULTS: dict[str, Fault] = {}


def _fault(
    name: str, possible: Callable[[Rig], bool] = lambda rig: True, ends_engine: bool = False
) -> Callable[[Callable[[Rig], str]], Callable[[Rig], str]]:
    def register(run: Callable[[Rig], str]) -> Callable[[Rig], str]:
        FAULTS[name] = Fault(name, run, possible, ends_engine)
        return run

    return register


# The engine


@_fault("engine killed", ends_engine=True)
def kill_engine(rig: Rig) -> str:
    os.kill(rig.stage.now["engine"], signal.SIGKILL)
    return "kill -9"


@_fault("engine stalled", ends_engine=True)
def stall_engine(rig: Rig) -> str:
    os.kill(rig.stage.now["engine"], signal.SIGSTOP)
    return "SIGSTOP, for good"


@_fault("engine slow")
def pause_engine(rig: Rig) -> str:
    seconds = rig.chance.uniform(0.2, 1.0)
    engine = rig.stage.now["engine"]
    os.kill(engine, signal.SIGSTOP)
    rig.hold(seconds)
    os.kill(engine, signal.SIGCONT)
    return f"stopped for {seconds:.1f} s"


@_fault("spare killed", lambda rig: bool(rig.stage.now["spare"]))
def kill_spare(rig: Rig) -> str:
    os.kill(rig.stage.now["spare"], signal.SIGKILL)
    return "kill -9"


@_fault("computer asleep")
def sleep_computer(rig: Rig) -> str:
    seconds = rig.chance.uniform(2.5, 4.0)
    stage = psutil.Process(rig.stage.process.pid)
    asleep = [stage, *stage.children(recursive=True)]
    for process in asleep:
        process.suspend()
    time.sleep(seconds)
    for process in reversed(asleep):
        process.resume()
    return f"all processes stopped for {seconds:.1f} s"


# Sound


@_fault("sound server killed", lambda rig: rig.pulse is not None)
def kill_sound_server(rig: Rig) -> str:
    assert rig.pulse is not None
    rig.pulse.end(signal.SIGKILL)
    away = rig.chance.uniform(0.2, 3.0)
    rig.hold(away)
    rate, channels = rig.chance.choice([44_100, 48_000, 96_000]), rig.chance.choice([1, 2])
    rig.pulse.configure(rate, channels)
    rig.pulse.start()
    return f"away for {away:.1f} s, then {rate} Hz, {channels} channels"


@_fault("bad sound")
def play_bad_sound(rig: Rig) -> str:
    path = rig.folder / "bad.wav"
    if not path.exists():
        write_bad_sound(path)
    track = SourceSpec("track", str(path), aloud=False, loop=True)
    rig.stage.send(Listen(track))
    rig.hold(rig.chance.uniform(2.0, 4.0))
    invalid = rig.stage.now["invalid_samples"]
    rig.stage.send(Listen(rig.source))
    rig.hold(0.5)
    return f"NaN, infinity, DC, clipping; {invalid} samples replaced"


@_fault("source that is not there")
def ask_for_missing_source(rig: Rig) -> str:
    before = rig.stage.now["state"]["source"]
    rig.stage.send(Listen(SourceSpec("input", "no such device")))
    rig.hold(0.5)
    # A busy machine may take long to find out that it is not there; until then it is what was asked for.
    rig.stage.wait(lambda report: report["state"]["source"] == before, "refusal of the source", 60)
    return "the one before goes on"


def write_bad_sound(path: Path, seconds: float = 6.0, rate: int = 48_000) -> None:
    """A float WAV of music with bursts of NaN, infinities, huge values, DC, clipping and denormals."""
    random_ = np.random.default_rng(0)
    count = round(seconds * rate)
    sound = (0.3 * random_.standard_normal((count, 2))).astype(np.float32)
    piece = count // 12
    for index, value in enumerate((np.nan, np.inf, -np.inf, 1e30, 1e-40, 5.0)):
        sound[(2 * index) * piece : (2 * index) * piece + piece // 2] = value
    sound[5 * piece : 6 * piece] += 0.8
    sound[7 * piece : 8 * piece] *= 20.0
    soundfile.write(path, sound, rate, subtype="FLOAT")


# Hands


@_fault("controller unplugged", lambda rig: rig.controller is not None)
def unplug_controller(rig: Rig) -> str:
    assert rig.controller is not None
    rig.controller.unplug()
    away = rig.chance.uniform(0.1, 2.0)
    rig.hold(away)
    rig.controller = Controller("knobs")
    return f"away for {away:.1f} s"


@_fault("hostile OSC")
def send_hostile_osc(rig: Rig) -> str:
    packets = 0
    end = time.perf_counter() + rig.chance.uniform(0.3, 1.0)
    while time.perf_counter() < end:
        for _ in range(20):
            rig.osc(hostile_packet(rig.chance))
            packets += 1
        time.sleep(0.002)
    return f"{packets} packets"


def _text(text: str) -> bytes:
    data = text.encode(errors="surrogateescape") + b"\0"
    return data + b"\0" * (-len(data) % 4)


def osc_message(address: str, *values: float | str) -> bytes:
    """An OSC message with floats and strings."""
    tags = "," + "".join("s" if isinstance(value, str) else "f" for value in values)
    body = b"".join(_text(v) if isinstance(v, str) else struct.pack(">f", v) for v in values)
    return _text(address) + _text(tags) + body


def hostile_packet(chance: random.Random) -> bytes:
    """A datagram that no honest sender makes, or that asks for what may not be had."""
    match chance.randrange(9):
        case 0:
            return chance.randbytes(chance.randrange(0, 2000))
        case 1:
            bundle = osc_message("/lavlive/mapper/y", 1.0)
            for _ in range(200):
                bundle = b"#bundle\0" + bytes(8) + struct.pack(">i", len(bundle)) + bundle
            return bundle[:60_000]
        case 2:
            return b"#bundle\0" + bytes(8) + struct.pack(">i", chance.choice([-1, 2**31 - 1, 3])) + b"/a"
        case 3:
            return osc_message("/lavlive/mapper/y", chance.choice([float("nan"), float("inf")]))
        case 4:
            return osc_message("/lavlive/preset/load", chance.choice(["../../etc/passwd", "/dev/zero", "\0"]))
        case 5:
            return osc_message("/lavlive/" + "x" * chance.randrange(1, 4000), 1.0)
        case 6:
            return osc_message("/lavlive/{mapper,smoothing}/*", 1.0)
        case 7:
            return osc_message("/lavlive/subscribe", float(chance.randrange(-9, 99999)))
        case _:
            return osc_message("/lavlive/mapper/y", 1.0)[: chance.randrange(1, 24)]


@_fault("preset corrupted")
def corrupt_preset(rig: Rig) -> str:
    path = rig.stage.presets / f"{OWN_PRESET}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_GOOD_PRESET)
    rig.hold(0.5)
    kind = rig.chance.choice(["random bytes", "cut short", "huge", "NaN", "a folder", "gone"])
    match kind:
        case "random bytes":
            path.write_bytes(rig.chance.randbytes(4000))
        case "cut short":
            path.write_text(_GOOD_PRESET[: rig.chance.randrange(len(_GOOD_PRESET))])
        case "huge":
            path.write_text("#" * 3_000_000)
        case "NaN":
            path.write_text(_GOOD_PRESET + "mapper.c = nan\n")
        case _:
            path.unlink()
            if kind == "a folder":
                path.mkdir()
    rig.hold(1.0)
    if path.is_dir():
        path.rmdir()
    path.write_text(_GOOD_PRESET)
    return kind


# Models, disk, window


@_fault("model swapped")
def swap_model(rig: Rig) -> str:
    broken = rig.folder / "broken.safetensors"
    if not broken.exists():
        broken.write_bytes(rig.model.read_bytes()[:100_000])
    model = rig.chance.choice([str(rig.model), None, str(broken), str(rig.folder / "missing.pkl")])
    rig.stage.send(ShowModel(model))
    if model is None or Path(model) == rig.model:
        # Loading goes on beside the show, and the state names a model once it is there. While another still
        # loads, which a busy machine may take long for, a model is refused and has to be asked for again.
        for _ in range(_MODEL_REQUESTS):
            with contextlib.suppress(AssertionError):
                rig.stage.wait(lambda report: report["state"]["model"] == model, "other model", 15)
                break
            rig.stage.send(ShowModel(model))
        rig.stage.wait(lambda report: report["state"]["model"] == model, "other model", 40)
    rig.hold(rig.chance.uniform(0.5, 1.5))
    return Path(model).name if model else "the bundled one"


@_fault("disk full", lambda rig: not rig.stage.now["recording"])
def fill_disk(rig: Rig) -> str:
    path = (rig.disk or rig.folder) / f"take-{time.perf_counter_ns()}.mp4"
    if rig.disk is None:
        rig.stage.send(Record(str(path), free=10_000_000))
    else:
        rig.stage.send(Record(str(path)))
    rig.stage.wait(lambda report: report["recording"] or report["recorder_error"], "recording", 20)
    # The first fragment holds a second and waits for half a second of missing sound.
    rig.hold(3.0)
    filler = path.with_suffix(".filler")
    if rig.disk is not None:
        _fill(filler)
    rig.stage.wait(lambda report: report["recorder_error"], "end of the recording", 20)
    rig.stage.send(StopRecording())
    rig.stage.wait(lambda report: not report["recorder_error"], "the recorder's end", 20)
    filler.unlink(missing_ok=True)
    pictures = playable_pictures(path)
    path.unlink()
    if not pictures:
        raise AssertionError(f"{path.name} cannot be played after the disk was full")
    return f"{'a real' if rig.disk else 'a pretended'} one; {pictures} pictures can be played"


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 20)):
                pass
    except OSError:
        return


def playable_pictures(path: Path) -> int:
    """How many pictures a player finds in a video; any packet that is torn is an error."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@_fault("window moved", lambda rig: rig.display is not None and shutil.which("xdotool") is not None)
def move_window(rig: Rig) -> str:
    found = _xdotool("search", "--name", "^lavlive")
    if not found:
        return "no window found"
    window = found.split()[0]
    steps = rig.chance.randrange(2, 6)
    for _ in range(steps):
        width, height = rig.chance.choice([(1, 1), (1600, 30), (300, 900), (640, 360), (1270, 710)])
        _xdotool("windowsize", window, str(width), str(height))
        _xdotool("windowmove", window, str(rig.chance.randrange(-500, 1500)), str(rig.chance.randrange(900)))
        rig.hold(rig.chance.uniform(0.05, 0.5))
    _xdotool("windowsize", window, "640", "360")
    _xdotool("windowmove", window, "0", "0")
    return f"{steps} sizes and places"


def _xdotool(*command: str) -> str:
    return subprocess.run(["xdotool", *command], capture_output=True, text=True, timeout=60).stdout


# What a performer does meanwhile


def turn_knobs(rig: Rig) -> None:
    """Change the look by OSC and MIDI, as hands do."""
    rig.osc(osc_message("/lavlive/mapper/y", rig.chance.uniform(0.5, 2.0)))
    rig.osc(osc_message("/lavlive/smoothing/coarse", rig.chance.uniform(0.2, 2.0)))
    rig.osc(osc_message("/lavlive/generator/truncation", rig.chance.uniform(0.6, 1.2)))
    if rig.controller is not None:
        rig.controller.cc(rig.chance.randrange(128), rig.chance.randrange(128))


def second_model(folder: Path) -> Path:
    """A generator's file beside the bundled one."""
    return Path(shutil.copy(generator_file(None), folder / "second.safetensors"))
