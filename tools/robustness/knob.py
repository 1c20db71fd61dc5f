"""From the MIDI send to the first picture made with it: python -m tools.robustness.knob --count 50

A controller on a JACK server of our own turns a knob; a stage's controls, a real engine on the demo track.
Prints median and worst in milliseconds, and how many pictures were made from the send to that one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import rtmidi

from lavlive.audio.sources import SourceSpec
from lavlive.control.control import Control
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.system import RtmidiSystem
from lavlive.link.memory import SharedBlock
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values
from lavlive.resources import shipped
from lavlive.show.pace import Pace
from tests.support.jack import Controller, jack_server


class Desk:
    """Controls, link and engine, stepped and listened to as a show does it."""

    def __init__(self, folder: Path) -> None:
        self.link = SharedBlock.create()
        bindings = BindingFolders(shipped("presets") / "bindings", folder)
        self.control = Control(Values(), bindings, RtmidiSystem(rtmidi.API_UNIX_JACK))
        self.link.write_parameters(self.control.numbers(0.0), self.control.revision)
        settings = EngineSettings(SourceSpec("demo"))
        self.supervisor = Supervisor(
            self.link,
            settings,
            lambda name, what: PythonEngine(name, what, folder / "engine.log"),
            time.perf_counter(),
        )
        self.pace = Pace(60.0)

    def step(self) -> None:
        self.take_hands()
        self.supervisor.step(time.perf_counter())
        self.pace.wait(meanwhile=self.listen)

    def listen(self) -> None:
        if self.control.stirred:
            self.take_hands()

    def take_hands(self) -> None:
        now = time.perf_counter()
        self.control.step(now)
        self.link.write_parameters(self.control.numbers(now), self.control.revision)

    def close(self) -> None:
        self.supervisor.close()
        self.control.close()
        self.link.close()


def turn_to_picture(desk: Desk, controller: Controller, value: int) -> tuple[float, int]:
    """Turn the first knob; seconds until a picture was made with it, and how many pictures that took."""
    before, first = desk.control.revision, desk.link.newest_sequence
    sent = time.perf_counter()
    controller.cc(1, value)
    while True:
        desk.step()
        picture = desk.link.read_picture()
        changed = desk.control.revision > before
        if picture is not None and changed and picture.parameter_revision > before:
            return picture.made - sent, picture.sequence - first
        if time.perf_counter() - sent > 5:
            raise TimeoutError("the knob moved nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, jack_server():
        controller = Controller("knobs")
        desk = Desk(Path(folder))
        try:
            with desk.control:
                while desk.link.newest_sequence < 60:
                    desk.step()
                # The first message says where the knob stands, the sweep takes hold of the value.
                for value in range(0, 128, 4):
                    controller.cc(1, value)
                    for _ in range(3):
                        desk.step()
                turns = [turn_to_picture(desk, controller, 40 + turn % 60) for turn in range(options.count)]
        finally:
            desk.close()
            controller.unplug()
    seconds = [turn[0] for turn in turns]
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"knob to picture: median {median:.1f} ms, worst {worst:.1f} ms")
    print(f"pictures until then: at most {max(turn[1] for turn in turns)}")


if __name__ == "__main__":
    main()
