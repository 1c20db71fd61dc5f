"""What lies where a file of the user's should: pipes, devices, folders, links; and a foreign language."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from lavlive.control.looks.order import read_order
from lavlive.control.looks.presets import read_preset
from lavlive.control.looks.state import read_state
from lavlive.errors import LavliveError
from lavlive.files import read_whole, write_whole
from lavlive.link.points import read_points
from lavlive.stage.canvas.isf.images import read_image
from lavlive.wall.transport import read_key
from tests.support.stage_process import ROOT

PATIENCE = 20
"""Seconds; what opens a pipe waits without end."""


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    def give_up(_: int, __: FrameType | None) -> None:
        pytest.fail("it waits for ever")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def told(read: Callable[[Path], object], path: Path) -> list[str]:
    """What the performer is told of a file, whichever way its reader tells."""
    try:
        found = read(path)
    except LavliveError as error:
        return [str(error)]
    return list(getattr(found, "problems", ()))


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
@pytest.mark.parametrize("read", [read_state, read_points, read_key, read_image, read_preset])
def test_what_is_no_file_is_refused_in_one_line_and_waited_for_by_nobody(
    read: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(path)
    lines = told(read, path)
    assert len(lines) == 1
    assert path.name in lines[0]
    assert "\n" not in lines[0]
    assert "Errno" not in lines[0]


def test_a_pipe_in_the_place_of_the_presets_order_is_no_order(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "order.txt")
    assert read_order(tmp_path / "order.txt") == []


def test_no_more_of_a_file_is_read_than_it_may_hold(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="longer than 64 KiB"):
        read_whole(tmp_path / "huge", 1 << 16)
    assert len(told(read_key, tmp_path / "huge")) == 1


def test_points_that_unpack_to_more_than_they_should_are_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lavlive.link.points._LARGEST", 1 << 16)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", bytes(80 << 10))
    assert "unpacks to more" in told(read_points, tmp_path / "bomb.npz")[0]


def test_a_link_stays_a_link_and_permissions_stay_when_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    real = tmp_path / "stick" / "state.json"
    real.write_text("old")
    real.chmod(0o600)
    link = tmp_path / "state.json"
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["state.json", "state.json", "stick"]


def test_a_link_to_a_stick_that_is_away_is_an_error_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "mine.toml"
    link.symlink_to(tmp_path / "stick" / "mine.toml")
    with pytest.raises(OSError, match="No such file"):
        write_whole(link, b"new")
    assert link.is_symlink()
    assert not (tmp_path / "stick").exists()


_IN_TURKISH = """
import json, re
from lavlive.link.environment import prepare_process
same = lambda: re.fullmatch(b"explicit", b"EXPLICIT", re.IGNORECASE | re.LOCALE) is not None
before = same()
prepare_process()
print(json.dumps([before, same()]))
"""


@pytest.fixture(scope="module")
def turkish(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a computer that speaks Turkish."""
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/tr_TR").exists():
        pytest.skip("the sources of locales are not installed")
    folder = tmp_path_factory.mktemp("locales")
    (folder / "letters").write_text('LC_CTYPE\ncopy "tr_TR"\nEND LC_CTYPE\n')  # all of a locale takes long
    made = ["localedef", "-c", "-i", str(folder / "letters"), "-f", "ISO-8859-9", str(folder / "tr_TR")]
    subprocess.run(made, check=False, stderr=subprocess.DEVNULL, timeout=60)
    outside = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LC_CTYPE")}
    return outside | {"LOCPATH": str(folder), "LC_CTYPE": "tr_TR"}


def test_in_turkish_libraries_still_take_capital_i_for_i(turkish: dict[str, str]) -> None:
    # OpenVINO compares names without regard to case, by the language of the computer.
    done = subprocess.run(
        [sys.executable, "-c", _IN_TURKISH],
        cwd=ROOT,
        env=turkish,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [False, True]
