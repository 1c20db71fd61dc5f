"""What stage and engine tell each other survives the pipe; what is no message is left out with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from lavlive.audio.spec import SourceSpec
from lavlive.engine.engine import first_settings
from lavlive.engine.failures import kind_of
from lavlive.errors import CheckpointError, ModelDoesNotFitError, RunnerError, SourceError
from lavlive.link.keyframes import Keyframe
from lavlive.link.messages import (
    VERSION,
    AnchorDrawn,
    AnchorsRefused,
    BendRefused,
    ChangeSource,
    Command,
    DialsFound,
    DialsRefused,
    DrawAnchors,
    EngineEvent,
    Failing,
    FailureKind,
    GovernorChanged,
    KeepMoment,
    KeyframesRefused,
    LoadModel,
    Misunderstood,
    MixReady,
    MixRefused,
    MixWith,
    ModelLoading,
    ModelReady,
    ModelRefused,
    ModelShown,
    MomentKept,
    ProjectionRefused,
    Ready,
    Refused,
    SourceLost,
    SourceNotice,
    SourceOpened,
    SourceRefused,
    SourceRunning,
    StartEngine,
    UseKeyframes,
    Waiting,
    encode,
    read_command,
    read_event,
)
from lavlive.link.settings import EngineSettings

MIXER = SourceSpec("input", "Mixer", channels="3,4")
NOT_UTF8 = "/music/\udce9t\udce9.wav"
"""A file name of another encoding, as Python has it."""

COMMANDS: list[Command] = [
    StartEngine(EngineSettings(MIXER, model="mine.pkl", rate=30.0, resumed=True)),
    ChangeSource(SourceSpec("track", NOT_UTF8, loop=False)),
    LoadModel(None, 2.0),
    KeepMoment(),
    UseKeyframes((Keyframe("ab", "AAAA"),)),
    MixWith("b.pkl"),
    DrawAnchors((24, 25), 3),
]
EVENTS: list[EngineEvent] = [
    Waiting(),
    Ready("Mixer", "mine", "torch", "bundled", 256, ("mine",), 3.25, ("a note",)),
    Refused(FailureKind.DEVICE_AWAY, "There is no input Mixer."),
    Failing(FailureKind.OUT_OF_MEMORY, "none left", "a trace\nof lines"),
    SourceOpened(MIXER),
    SourceLost("unplugged"),
    SourceRunning("back"),
    SourceNotice("over"),
    ProjectionRefused("no learned projection"),
    SourceRefused(MIXER, "no"),
    ModelLoading(None),
    ModelRefused("a.pkl", "damaged", FailureKind.UNUSABLE),
    ModelReady("a.pkl", "a", "torch", ("slow",)),
    ModelShown("a"),
    MomentKept(Keyframe("ab", "AAAA")),
    KeyframesRefused("another width"),
    MixReady("b is mixed in"),
    MixRefused("another shape"),
    BendRefused("no layers at 64²"),
    DialsFound("a", (8, 8, 3), {"coarse.1": "opening"}),
    DialsRefused("a.dials.npz holds the dials of another model."),
    AnchorDrawn("ab", 24, 3, "AAAA"),
    AnchorsRefused("too slow"),
    GovernorChanged(True, 24.5),
    Misunderstood("a line"),
]


def test_every_message_is_tried_here() -> None:
    assert {type(command) for command in COMMANDS} == set(get_args(Command))
    assert {type(event) for event in EVENTS} == set(get_args(EngineEvent))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_arrives_as_it_was_sent(command: Command) -> None:
    line = encode(command)
    assert "\n" not in line
    assert read_command(line) == command


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_arrives_as_it_was_told(event: EngineEvent) -> None:
    line = encode(event)
    assert "\n" not in line
    assert read_event(line) == event


def line(kind: str, version: int = VERSION, **body: Any) -> str:
    return json.dumps({"version": version, "kind": kind, "body": body})


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "no message"),
        ("Segmentation fault", "Segmentation fault"),
        ("[" * 100_000, "no message"),
        ("3", "no message"),
        (line("LoadModel", VERSION + 1, path=None, fade=1.0), f"version {VERSION + 1}"),
        (line("Sing", loud=True), "'Sing'"),
        (line("LoadModel", fade=1.0), "path"),
        (line("LoadModel", path=None, fade=-1.0), "fade"),
        (line("LoadModel", path=None, fade="slow"), "fade"),
        (line("LoadModel", path=None, fade=1.0, colour="red"), "colour"),
        (line("ChangeSource", source={"kind": "radio"}), "source.kind"),
        (line("Ready"), "'Ready'"),
    ],
)
def test_what_is_no_command_is_left_out_with_the_name_of_its_fault(written: str, reason: str) -> None:
    told = read_command(written)
    assert isinstance(told, Misunderstood)
    assert reason in told.text
    assert "\n" not in told.text


class AcceleratorError(RuntimeError):
    """As torch's, which only a graphics card can raise."""

    def __init__(self, error_code: int) -> None:
        super().__init__("CUDA error: an illegal memory access was encountered; out of memory")
        self.error_code = error_code


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (torch.cuda.OutOfMemoryError("none left"), FailureKind.OUT_OF_MEMORY),
        (MemoryError(), FailureKind.OUT_OF_MEMORY),
        (AcceleratorError(2), FailureKind.OUT_OF_MEMORY),
        (AcceleratorError(700), FailureKind.WORKER_FAILED),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), FailureKind.WORKER_FAILED),
        (caused(RunnerError("full"), torch.cuda.OutOfMemoryError("none left")), FailureKind.OUT_OF_MEMORY),
        (ModelDoesNotFitError("needs 9000 MiB"), FailureKind.MODEL_DOES_NOT_FIT),
        (SourceError("no input out of memory"), FailureKind.DEVICE_AWAY),
        (CheckpointError("damaged: memory 7 is read"), FailureKind.UNUSABLE),
    ],
    ids=repr,
)
def test_a_failure_is_told_by_its_type_and_number_and_never_by_its_words(
    failure: Exception, kind: FailureKind
) -> None:
    assert kind_of(failure) is kind


def test_an_engine_that_is_spoken_to_in_another_version_says_so() -> None:
    told: list[EngineEvent] = []
    settings = EngineSettings(MIXER)
    assert first_settings(encode(StartEngine(settings)), told.append) == settings
    assert told == []
    assert first_settings(line("StartEngine", VERSION + 1), told.append) is None
    assert first_settings(encode(LoadModel(None, 1.0)), told.append) is None
    assert [f"version {VERSION + 1}" in str(told[0]), "LoadModel" in str(told[1])] == [True, True]


def test_no_module_but_messages_writes_the_boundary_by_hand() -> None:
    root = Path(__file__).parents[1]
    files = [path for folder in ("lavlive", "tools") for path in (root / folder).rglob("*.py")]
    found = [
        path.name for path in files if any(f'"{key}":' in path.read_text("utf-8") for key in ("event", "do"))
    ]
    assert found == []
