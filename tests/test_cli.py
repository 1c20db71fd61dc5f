"""What a user types, and what they see when it cannot be done."""

import argparse
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from lavlive.commands.arguments import _parser, parse
from lavlive.commands.main import main
from lavlive.commands.typed import parse_rate, parse_size
from lavlive.stage.recording.video import VideoWriter
from tools.parameter_reference import PAGE, page


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with status 2 and one or two lines."""
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert 1 <= len(told.strip().splitlines()) <= 3
    return told


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def test_a_missing_track_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.wav" in refusal(["live", "--track", "nowhere.wav"], capsys)


def test_a_file_that_is_no_sound_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.mp3"
    page.write_text("<html>404</html>")
    assert "page.mp3" in refusal(["live", "--track", str(page)], capsys)


def test_an_empty_track_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros((0, 1)), 44_100)
    assert "empty.wav" in refusal(["render", str(empty), "-o", str(tmp_path / "v.mp4")], capsys)


def test_an_unknown_parameter_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "mapper.y" in refusal(["live", "--demo", "--set", "maper.y=2"], capsys)


@pytest.mark.parametrize("value", ["9", "nan", "inf", "-1", "loud"])
def test_a_value_out_of_range_is_answered_with_the_range(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "0 to 4" in refusal(["live", "--demo", "--set", f"mapper.y={value}"], capsys)


def test_an_unknown_preset_is_answered_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Slow tide" in refusal(["live", "--demo", "--preset", "none such"], capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["live", "--demo", "--model", "nowhere.pkl"],
        ["live", "--demo", "--osc", "nonsense"],
        ["live", "--demo", "--seconds", "-1"],
        ["live", "--demo", "--rate", "0"],
        ["render", "nowhere.wav", "-o", "v.mp4"],
        ["render", "nowhere.wav", "-o", "v.avi"],
        ["render", "nowhere.wav", "-o", "v.mp4", "--size", "9999x3"],
        ["render", "nowhere.wav", "-o", "v.mp4", "--fps", "0"],
        ["model", "info", "nowhere.pkl"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_what_cannot_be_done_is_said_in_a_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refusal(arguments, capsys)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    for command in ("live", "render", "devices", "model", "bench"):
        assert command in told


def _without_help(parser: argparse.ArgumentParser) -> list[str]:
    """The options and commands below a parser that say nothing of themselves."""
    found = []
    for each in parser._actions:
        if isinstance(each, argparse._SubParsersAction):
            for inner in each.choices.values():
                found += _without_help(inner)
        elif not each.help:
            found.append(f"{parser.prog} {'/'.join(each.option_strings) or each.dest}")
    return found


def test_every_option_says_what_it_does() -> None:
    assert _without_help(_parser()) == []


@pytest.mark.parametrize(
    "arguments",
    [["--track", "nowhere.wav"], ["--fullscreen", "--track", "nowhere.wav"], ["--debug", "--demo"], []],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_without_a_command_it_is_the_show_with_its_options(arguments: list[str]) -> None:
    plain, live = parse(arguments), parse(["live", *arguments])
    assert plain.options() == live.options()
    assert plain.debug == live.debug


def test_a_terminal_without_all_letters_ends_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lavlive", "live", "--help"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert b"--encoder" in done.stdout


def test_the_page_of_parameters_is_the_present_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.parameter_reference"


def test_the_stage_never_imports_torch() -> None:
    stage = [
        "commands.main",
        "commands.live",
        "stage.panel.panel",
        "stage.panel.window",
        "stage.recording.recorder",
        "stage.canvas.canvas",
    ]
    code = "\n".join(
        [
            "import sys",
            *(f"import lavlive.{module}" for module in stage),
            "print([m for m in ('torch', 'openvino', 'onnxruntime', 'encodec') if m in sys.modules])",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["1920x1080", "1920X1080", " 1920×1080 "])
def test_a_size_is_read_as_people_write_it(text: str) -> None:
    assert parse_size(text) == (1920, 1080)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", Fraction(25)),
        ("12.5", Fraction(25, 2)),
        ("29.97", Fraction(30000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
    ],
)
def test_a_rate_of_pictures_is_kept_exactly(text: str, rate: Fraction, tmp_path: Path) -> None:
    assert parse_rate(text) == rate
    with VideoWriter(tmp_path / "a.mp4", 64, 64, parse_rate(text)) as video:
        assert video.fps == rate
        for _ in range(3):
            video.picture(np.zeros((64, 64, 3), np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as written:
        assert written.streams.video[0].average_rate == rate


@pytest.mark.parametrize("text", ["0", "121", "fast", "30/0", "nan", "inf", "-25", "1/3", "29.97001", ""])
def test_no_rate_of_pictures_is_refused_with_what_there_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--fps takes" in refusal(["render", "a.wav", "-o", "b.mp4", f"--fps={text}"], capsys)
