"""A show with everything that can leave it, at once: python -m tools.robustness.all_outputs --seconds 60.

Whole shows one after the other, on a desktop of two monitors in memory, hearing a track through a real
PulseAudio (`Xorg` with its dummy driver, `pulseaudio`, `nginx` with its module for RTMP or else ffmpeg):

    plain     a window, nothing else
    mapped    a canvas on two screens
    edited    the same, a corner of a surface dragged all the time as by a hand
    all       two screens, NDI, RTMP and a recording, with receivers

For each are printed the spacing of the show's frames, pictures that were made and never shown, sound lost
(xruns, samples), for how much of the time the governor asked for fewer pictures, and what outputs left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from lavlive.bench.received import Received
from lavlive.resources import shipped
from tests.support.faults import Music
from tests.support.pulse import pulse_server
from tests.support.xorg import two_monitors
from tools.robustness.outputs import Server

PHASES = ("plain", "mapped", "edited", "all")
_SURFACES = """
canvas = [960, 360]

[[screen]]
name = "left"
monitor = "DUMMY0"
[[screen.slice]]
input = [0, 0, 0.6, 1]
right = 0.333

[[screen]]
name = "right"
monitor = "DUMMY1"
[[screen.slice]]
input = [0.4, 0, 0.6, 1]
left = 0.333
"""
_SETTLE_SECONDS = 5.0
_NAME = "lavlive measured"
_DISPLAY_RATE = 60.0


def typed(phase: str, folder: Path, stream: str) -> list[str]:
    """What is typed for a phase."""
    arguments = ["live", "--loopback", "--no-panel", "--canvas", "960x360", "--name", _NAME]
    if phase != "plain":
        (folder / "surfaces.toml").write_text(_SURFACES)
        arguments += ["--fullscreen", "--surfaces", str(folder / "surfaces.toml")]
    if phase == "all":
        arguments += ["--ndi", "--stream", stream, "--record", str(folder / "all.mp4")]
    return arguments


def show(arguments: list[str], seconds: float, edit: bool) -> dict[str, Any]:
    """Run a show in this process, and watch it from its first picture on, but for some seconds."""
    from lavlive.commands.arguments import parse
    from lavlive.commands.opening import open_show
    from lavlive.commands.options import LiveOptions
    from lavlive.link.environment import prepare_process
    from lavlive.show.pace import ShowPace

    prepare_process()
    options = parse(arguments).options()
    assert isinstance(options, LiveOptions)
    with open_show(options) as running:
        pace, number = ShowPace(_DISPLAY_RATE), running.link.number
        steps: list[float] = []
        limited = 0.0
        begin = last = end = float("inf")
        first: dict[str, float] = {}
        while (now := time.perf_counter()) < end:
            running.step(now)
            if begin == float("inf") and running.pictures_shown:
                begin, end = now + _SETTLE_SECONDS, now + _SETTLE_SECONDS + seconds
            if now >= begin:
                if not first:
                    first = {name: number(name) for name in ("audio.xruns", "audio.dropped", "picture.count")}
                    first["shown"], last = running.pictures_shown, now
                    if edit and running.output.mapping is not None:
                        running.output.mapping.toggle_editing()
                else:
                    steps.append(now - last)
                    limited += (now - last) * ("fewer pictures" in (running.notices.badge(now) or ""))
                    last = now
                if edit and running.output.mapping is not None:
                    key = "right" if int(now * 2) % 2 else "left"
                    running.output.mapping.key(key, ("shift",), (800, 600))
            pace.wait(running.output.display_rate, meanwhile=running.listen)
        made = number("picture.count") - first["picture.count"]
        recorder = running.recordings.recorder
        return {
            "frames": len(steps),
            "steps": [round(1000 * float(np.quantile(steps, q)), 2) for q in (0.5, 0.95, 0.99, 1)],
            "made_per_second": round(made / seconds, 1),
            "never_shown": max(0, int(made - (running.pictures_shown - first["shown"]))),
            "xruns": int(number("audio.xruns") - first["audio.xruns"]),
            "samples_lost": int(number("audio.dropped") - first["audio.dropped"]),
            "governor_share": round(limited / seconds, 3),
            "outlets": {
                outlet.spec.name: {"sent": outlet.worker.sent, "left out": outlet.worker.dropped}
                for outlet in running.outlets.all
                if outlet.wanted and outlet.worker is not None
            },
            "recorder_left_out": None if recorder is None else recorder.dropped,
            "told": sorted({notice.text for notice in running.notices.history}),
        }


def run(phase: str, seconds: float) -> dict[str, Any]:
    """A phase in a process of its own, with receivers where it has outputs."""
    with tempfile.TemporaryDirectory() as name, pulse_server() as pulse, two_monitors(Path(name)):
        folder, server, music = Path(name), Server("rtmp"), Music(pulse, shipped("data") / "demo.ogg")
        command = [sys.executable, "-m", "tools.robustness.all_outputs", "--show", phase]
        command += ["--seconds", str(seconds), "--typed", json.dumps(typed(phase, folder, server.address))]
        environment = os.environ | {"XDG_CONFIG_HOME": name}
        if phase == "all":
            server.start()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        received = Received("ndi", _NAME) if phase == "all" else None
        try:
            while child.poll() is None:
                music.tend()
                time.sleep(0.2)
            assert child.stdout is not None
            told: dict[str, Any] = json.loads(child.stdout.read().splitlines()[-1])
            if received is not None:
                told["ndi_received"] = len(received.pictures)
                told["recorded_megabytes"] = round((folder / "all.mp4").stat().st_size / 1e6, 1)
        finally:
            music.stop()
            child.kill()
            server.kill()
            if received is not None:
                received.__exit__()
        if phase == "all":
            server.receivers[0].join(60)
            told["rtmp_received"] = len(server.receivers[0].received.pictures)
        return told


def main() -> int:
    """Run the phases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=list(PHASES))
    parser.add_argument("--show", choices=PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--typed", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.show:
        told = show(json.loads(options.typed), options.seconds, options.show == "edited")
        print(json.dumps(told), flush=True)
        return 0
    for phase in options.phases:
        told = run(phase, options.seconds)
        median, p95, p99, most = told.pop("steps")
        print(f"{phase}: spacing median {median}, p95 {p95}, p99 {p99}, most {most} ms")
        for name, value in told.items():
            print(f"    {name.replace('_', ' ')}: {value}")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
