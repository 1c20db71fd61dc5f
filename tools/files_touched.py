"""Counts the files of lavlive that run between an event and its effect.

    python -m tools.files_touched      one hop, one MIDI controller, one preset, one change of model

The parts are the show's own, joined in one process and called one after the other instead of by their
threads and the pipe, so that nothing but the path runs: sound goes in at the audio callback and a picture is
presented to a canvas without a window; a MIDI port hands over three bytes; messages are written out and read
back.

What counts, of `lavlive/` (an import counts nothing):

- of the hop: every file of which a function runs;
- of the others: every file of which a function runs that does not run in a frame without the event, and every
  file that leads there, which are the callers of these functions; and what takes the new values up in the
  engine.

A GPU's runner, a window's own drawing and a sound card's driver are not on these paths; OpenVINO's runner
takes the place of torch's in a show on a processor.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, cast

import numpy as np

from lavlive.link.environment import prepare_process

prepare_process()

from lavlive.audio.portaudio import InputCapture  # noqa: E402
from lavlive.audio.ring import Ring  # noqa: E402
from lavlive.audio.source import Source  # noqa: E402
from lavlive.audio.spec import SourceSpec  # noqa: E402
from lavlive.control.actions import Action  # noqa: E402
from lavlive.control.control import Control  # noqa: E402
from lavlive.control.looks.library import PresetLibrary  # noqa: E402
from lavlive.control.midi.binding_files import BindingFolders  # noqa: E402
from lavlive.engine.engine import Engine  # noqa: E402
from lavlive.engine.latent_worker import LatentWorker  # noqa: E402
from lavlive.engine.loading import load_model, load_path  # noqa: E402
from lavlive.engine.picture_worker import PictureWorker  # noqa: E402
from lavlive.link.memory import SharedBlock  # noqa: E402
from lavlive.link.messages import Command, EngineEvent, encode, read_command, read_event  # noqa: E402
from lavlive.link.settings import EngineSettings  # noqa: E402
from lavlive.link.supervisor import Supervisor  # noqa: E402
from lavlive.parameters import Values  # noqa: E402
from lavlive.resources import bundled_generators, shipped  # noqa: E402
from lavlive.show.show import Show  # noqa: E402
from lavlive.stage.canvas.slots import open_shaders  # noqa: E402
from lavlive.stage.notices import Notices  # noqa: E402
from lavlive.stage.output.base import OutputSettings  # noqa: E402
from lavlive.stage.output.headless import HeadlessOutput  # noqa: E402

LAVLIVE = f"{Path(__file__).parents[1] / 'lavlive'}/"
RATE = 24_000


class Touched:
    """Takes note of the functions of lavlive that run, in every thread, and of who called them."""

    def __init__(self) -> None:
        self.usual: set[CodeType] = set()
        self._seen: dict[CodeType, set[str]] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While within."""
        threading.setprofile(self._call)
        sys.setprofile(self._call)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def files(self) -> list[str]:
        """The files, from lavlive's folder on, of what ran and is not `usual`, and of their callers."""
        found = {file for code, callers in self._seen.items() if code not in self.usual for file in callers}
        self._seen.clear()
        return sorted(found)

    def learn(self) -> None:
        """What was seen is what runs in every frame."""
        self.usual |= set(self._seen)
        self._seen.clear()

    def _call(self, frame: FrameType | None, event: str, argument: object) -> None:
        if event != "call" or frame is None or not _is_ours(frame):
            return
        callers = self._seen.setdefault(frame.f_code, set())
        while frame is not None:
            if _is_ours(frame):
                callers.add(frame.f_code.co_filename.removeprefix(LAVLIVE))
            frame = frame.f_back


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(LAVLIVE) and frame.f_code.co_name != "<module>"


class Knobs:
    """A MIDI system with one controller."""

    def __init__(self) -> None:
        self.waiting: list[Sequence[int]] = []

    def inputs(self) -> list[str]:
        """One."""
        return ["knobs"]

    def outputs(self) -> list[str]:
        """None."""
        return []

    def open_input(self, port: str) -> Knobs:
        """Itself."""
        return self

    def open_output(self, port: str) -> Any:
        """There is none."""
        raise NotImplementedError

    def read(self) -> Sequence[int] | None:
        """A message that waits."""
        return self.waiting.pop(0) if self.waiting else None

    def close(self) -> None:
        """Nothing."""


class Pipe:
    """The engine as the supervisor sees it; every message is written out and read back."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.told: list[EngineEvent] = []

    def send(self, command: Command) -> None:
        """To the engine."""
        if self.engine is not None:
            self.engine.command(read_command(encode(command)))

    def tell(self, event: EngineEvent) -> None:
        """To the stage."""
        self.told.append(read_event(encode(event)))

    def events(self) -> list[EngineEvent]:
        """What was told since the last call."""
        told, self.told = self.told, []
        return told

    def exit_status(self) -> int | None:
        """It runs."""
        return None

    def kill(self) -> None:
        """Nothing."""

    def close(self, timeout: float) -> None:
        """Nothing."""


class Chain:
    """Every part between a callback and a canvas, each called by hand."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path) -> None:
        shaders = stack.enter_context(open_shaders())
        self.link = stack.enter_context(SharedBlock.create())
        self.pipe, self.knobs = Pipe(), Knobs()
        presets = PresetLibrary(shipped("presets"), folder / "presets")
        bindings = BindingFolders(shipped("presets") / "bindings", folder)
        self.control = Control(Values({"show.morph": 0.0}), bindings, cast(Any, self.knobs), presets=presets)
        self.now = time.perf_counter()
        settings = EngineSettings(SourceSpec("demo"), runner="torch")
        supervisor = Supervisor(self.link, settings, lambda *_: cast(Any, self.pipe), self.now)
        output = stack.enter_context(HeadlessOutput(OutputSettings(canvas=(320, 180), shaders=shaders)))
        bank = {name: name for name in bundled_generators()}
        self.show = Show(self.link, supervisor, self.control, output, Notices(), models=bank)
        self.capture = InputCapture.__new__(InputCapture)
        self.capture._clock = time.perf_counter
        self.capture.ring = Ring(1.0, RATE, 1)
        self.capture.name = self.capture.address = "a line-in"
        source = Source(lambda: self.capture)
        source._take(self.capture)
        engine = Engine(self.link, settings, self.pipe.tell)
        model, _ = load_model(None, "torch")
        engine._newest = model
        engine.pictures = self.pictures = PictureWorker(
            self.link, model, engine._mailbox, lambda: 0.0, self.pipe.tell
        )
        path = load_path("bundled", None, model.runner.w_dim)
        engine.latents = self.latents = LatentWorker(self.link, path, source, engine._mailbox)
        self.pipe.engine, self.engine = engine, engine

    def sound(self) -> None:
        """One hop comes to the audio callback."""
        block = np.random.default_rng(0).normal(0, 0.1, (320, 1)).astype(np.float32)
        times = SimpleNamespace(inputBufferAdcTime=0.0, currentTime=320 / RATE)
        self.capture._on_block(block, 320, times, False)

    def picture(self) -> None:
        """From the ring to a picture in the link."""
        self.latents._work()
        timed = self.engine._mailbox.take(0.0)
        if timed is not None:
            self.pictures._show(timed)

    def frame(self) -> None:
        """One frame of the show."""
        self.now = time.perf_counter()
        self.link.meter("engine.heartbeat")[0] = self.now
        self.show.step(self.now)

    def idle(self) -> None:
        """What happens anyhow: sound, pictures, frames; the controller is there."""
        for _ in range(4):
            self.sound()
            self.picture()
            ports = self.control.midi
            if ports is not None:
                ports.look()
                ports.listen()
            self.frame()
            self.frame()  # one without a new picture


def measure() -> dict[str, list[str]]:
    """The files of each path, by its name."""
    touched, found = Touched(), {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        chain = Chain(stack, folder)
        chain.idle()
        with touched.watching():
            chain.sound()
            chain.picture()
            chain.show._present(time.perf_counter())
        found["one hop"] = touched.files()
        with touched.watching():
            chain.idle()
        touched.learn()

        def path(name: str, begin: Callable[[], object], end: Callable[[], object]) -> None:
            with touched.watching():
                begin()
                chain.frame()
                chain.latents._read_parameters()
                end()
            found[name] = touched.files()
            chain.idle()

        def turn() -> None:
            chain.knobs.waiting += [(0xB0, 1, 20), (0xB0, 1, 90)]
            ports = chain.control.midi
            if ports is not None:
                ports.listen()

        path("one MIDI controller", turn, lambda: None)
        path("one preset", lambda: chain.control.ask(Action("preset.load", "House")), lambda: None)

        def shown() -> None:
            deadline = time.perf_counter() + 120
            while chain.pictures._incoming._value is None and time.perf_counter() < deadline:
                time.sleep(0.05)
            chain.sound()
            chain.picture()
            chain.frame()

        chain.control.values.set("show.swap_fade", 0.0)
        path("one change of model", lambda: chain.control.ask(Action("model.next")), shown)
    return found


def main() -> int:
    """Print what there is."""
    for name, files in measure().items():
        print(f"{name}: {len(files)} files")
        for file in files:
            print(f"    {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
