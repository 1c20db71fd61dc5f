"""Hostile and damaged files: none runs anything, each ends in one clear error, soon and in little memory."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lavlive.errors import CheckpointError
from lavlive.generator import importing
from lavlive.generator.importing import convert_model, open_model
from lavlive.generator.readers.recognise import is_own, read_file
from lavlive.weightfiles.child import Answer, answer
from lavlive.weightfiles.reading import Limits
from tests.support.foreign_files import (
    fixture,
    nvidia_pickle,
    rosinality_table,
    tensorflow_pickle,
    torch_file,
)
from tests.support.hostile_files import HEAVY, harmless_files, hostile_files

torch.set_num_threads(1)
TWO_GIGABYTES = 2 << 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, bytes]:
    return hostile_files(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "cache_folder", lambda: tmp_path)


def refusal(action: Callable[[Path], object], path: Path) -> str:
    """The message of the one error that ``action`` ends in; one line of letters that can be printed."""
    with pytest.raises(CheckpointError) as caught:
        action(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    return message


def test_every_hostile_file_ends_in_one_error_and_runs_nothing(files: dict[str, bytes], folder: Path) -> None:
    """In this process, so that an attack would find a whole Python with torch to work with."""
    path = folder / "model.pkl"
    for name, content in files.items():
        if name in HEAVY:
            continue
        path.write_bytes(content)
        refusal(open_model if is_own(path) else read_file, path)
        assert not (folder / "canary").exists(), name
    assert len(files) >= 25


@pytest.mark.parametrize("name", HEAVY)
def test_what_should_cost_time_or_memory_is_ended(name: str, files: dict[str, bytes], folder: Path) -> None:
    """Through the reading process, as a user's file goes."""
    path = folder / "model.pkl"
    path.write_bytes(files[name])
    before = _children()
    refusal(open_model, path)
    after = _children()
    # Processor time, which is what the clock shows on a computer with nothing else to do.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10
    assert after.ru_maxrss * 1024 < TWO_GIGABYTES


def test_an_attack_leaves_no_canary_in_the_reading_process(files: dict[str, bytes], folder: Path) -> None:
    path = folder / "model.pkl"
    for name in ("system through REDUCE, protocol 4", "system in a nested storage", "system in a zip"):
        path.write_bytes(files[name])
        refusal(open_model, path)
        assert not (folder / "canary").exists(), name


def test_source_text_in_a_whole_file_is_not_run(folder: Path) -> None:
    for name, content in harmless_files(folder).items():
        path = folder / f"{name}.pkl"
        path.write_bytes(content)
        open_model(path)
        assert not (folder / "canary").exists(), name


def test_what_is_refused_is_named(files: dict[str, bytes], folder: Path) -> None:
    path = folder / "model.pkl"
    for name, words in (
        ("system through REDUCE, protocol 4", "posix.system"),
        ("eval", "builtins.eval"),
        ("an array of objects", "O8"),
        ("2 GB of bytes announced", "2147483648 more bytes are announced, 2 are there"),
        ("a weight that is not a number", "synthesis.b8.conv0.weight"),
        ("weights of another shape", "(16, 15, 3, 3)"),
        ("ours, of 2^30 pixels", "resolution 1073741824"),
        ("ours, a filter of 10^400", "damaged header"),
        ("weights of 3e38", "convs.0.conv.weight holds 3e+38"),
        ("weights that are whole", "convs.0.conv.weight holds whole numbers (i4)"),
        ("a tensor twice", "'g_ema' twice"),
        ("a zip's entry twice", "'archive/data.pkl' twice"),
        ("ours, weights of 3e38", "mapping.w_mean holds 3e+38"),
        ("ours, weights that are whole", "mapping.w_mean holds I32"),
        ("ours, a tensor twice", "'mapping.w_mean' twice"),
    ):
        path.write_bytes(files[name])
        assert words in refusal(open_model if is_own(path) else read_file, path)


def test_size_and_kind_are_looked_at_before_anything_long_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sparse file of a terabyte, and one of a gigabyte that begins with nothing known."""
    monkeypatch.setattr(importing, "file_hash", lambda path: pytest.fail("its checksum was made first"))
    path = tmp_path / "sparse.pkl"
    for size, words in ((1 << 40, "1,100 GB"), (1 << 30, "no kind of file")):
        with open(path, "wb") as file:
            file.truncate(size)
        assert words in refusal(open_model, path)


@pytest.mark.parametrize("kind", ["nvidia", "tensorflow", "rosinality", "legacy"])
def test_flipped_bits_give_a_whole_generator_or_one_error(kind: str, tmp_path: Path) -> None:
    """A bit that falls among the weights cannot be seen, unless the number is no longer finite."""
    content = bytearray(_honest(kind, tmp_path))
    whole = set(_read(content, tmp_path) or ())
    places = random.Random(0).sample(range(len(content) * 8), 30)
    # The weights are the most of a file: as many flips again in its first bytes, where its structure is.
    places += random.Random(1).sample(range(4000 * 8), 20)
    refused = 0
    for place in places:
        content[place // 8] ^= 1 << place % 8
        weights = _read(content, tmp_path)
        content[place // 8] ^= 1 << place % 8
        assert weights is None or set(weights) | {"mapping.w_mean"} == whole | {"mapping.w_mean"}
        refused += weights is None
    assert refused > 3
    assert not (tmp_path / "canary").exists()


def test_a_file_that_takes_too_much_memory_ends_the_reading_process_only(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(nvidia_pickle(fixture("sg3-resnet-clamp")))
    tight = Limits(memory=1 << 20)
    output = tmp_path / "o.safetensors"
    assert "memory" in refusal(lambda p: convert_model(p, output, limits=tight), path)
    assert not output.exists()


def test_a_file_that_takes_too_long_ends_the_reading_process_only(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04" + b"N0" * 900_000 + b"N.")
    hasty = Limits(processor_seconds=0.0, seconds=0.0, bytes_per_second=1e12)
    output = tmp_path / "o.safetensors"
    assert "time or memory" in refusal(lambda p: convert_model(p, output, limits=hasty), path)


def test_a_module_beside_the_model_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A performer starts lavlive in the folder of the download, and a numpy.py came along."""
    (tmp_path / "numpy.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    path = tmp_path / "model.pkl"
    path.write_bytes(nvidia_pickle(fixture("sg3-resnet-clamp")))
    monkeypatch.chdir(tmp_path)
    open_model("model.pkl")
    assert not (tmp_path / "canary").exists()


def test_a_readers_own_mistake_becomes_one_error(tmp_path: Path) -> None:
    def mistaken(path: Path) -> Answer:
        raise IndexError("out of \x1b[2J range")

    given = answer(mistaken, tmp_path / "x.pkl", tmp_path / "o.safetensors")
    assert given == {"error": r"damaged: IndexError, 'out of \x1b[2J range'"}


def test_reading_needs_little_memory_beside_the_generator(tmp_path: Path) -> None:
    """A snapshot holds G, D and optimisers; only the averaged generator is taken out of the file."""
    table = rosinality_table(fixture("rosinality")) | {"g_optim": {"state": torch.zeros(40 << 20)}}
    path = torch_file(tmp_path / "model.pt", table)
    program = (
        "import resource, sys, lavlive.generator.readers.recognise as r, pathlib;"
        "r.read_file(pathlib.Path(sys.argv[1]));"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells a process's largest size")
    output = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, check=True, timeout=60
    )
    assert int(output.stdout) * 1024 < 120 << 20 < path.stat().st_size


def _children() -> resource.struct_rusage:
    """What the processes that this one started and saw end have taken together."""
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def _honest(kind: str, folder: Path) -> bytes:
    if kind == "nvidia":
        return nvidia_pickle(fixture("sg3-resnet-clamp"))
    if kind == "tensorflow":
        return tensorflow_pickle(fixture("tensorflow-resnet-classes"))
    table = rosinality_table(fixture("rosinality"))
    return torch_file(folder / "honest.pt", table, legacy=kind == "legacy").read_bytes()


def _read(content: bytes | bytearray, folder: Path) -> list[str] | None:
    """Names of the weights in ``content``, or None where it is refused."""
    path = folder / "flipped"
    path.write_bytes(content)
    try:
        return list(read_file(path).weights)
    except CheckpointError:
        return None
