"""Breaks lavlive on purpose, one place at a time, and looks whether the test that should notice does.

    python -m tools.mutations      every mutation of the table, in a copy of the repository

Prints a table; the exit status is 1 when a mutation went unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_COPIED = ("lavlive", "tests", "tools", "shaders", "presets", "pyproject.toml")


@dataclass(frozen=True)
class Mutation:
    """A change in one place, and the test that must fail for it.

    Attributes:
        what: for people.
        file: in the repository.
        old, new: text that occurs there once, and what takes its place.
        test: pytest's name of the test.
    """

    what: str
    file: str
    old: str
    new: str
    test: str


_GOLDEN = "tests/test_golden.py::test_w_plus_still_gives_the_picture_that_was_looked_at[0-TorchRunner]"
MUTATIONS = (
    Mutation(
        "leaky tanh: another curve with slope 1 at the origin and c far out",
        "lavlive/latent/mapper.py",
        "held: np.ndarray = c * x + (1.0 - c) * np.tanh(x)",
        "held: np.ndarray = c * x + (1.0 - c) * x / np.sqrt(1.0 + x * x)",
        "tests/test_latent.py::test_a_leaky_tanh_between_origin_and_far_out",
    ),
    Mutation(
        "coarse and fine exchanged",
        "lavlive/latent/space.py",
        "grouped.astype(np.float32)[self.groups]",
        "grouped.astype(np.float32)[2 - self.groups]",
        "tests/test_latent.py::test_w_plus_puts_each_group_into_its_own_layers",
    ),
    Mutation(
        "red and blue exchanged",
        "lavlive/generator/runners/torch_runner.py",
        "self._pixels = self._synthesis(self._w_plus, self._noise, bends)",
        "self._pixels = self._synthesis(self._w_plus, self._noise, bends).flip(-1)",
        _GOLDEN,
    ),
    Mutation(
        "the picture upside down",
        "lavlive/generator/runners/torch_runner.py",
        "self._pixels = self._synthesis(self._w_plus, self._noise, bends)",
        "self._pixels = self._synthesis(self._w_plus, self._noise, bends).flip(0)",
        _GOLDEN,
    ),
    Mutation(
        "without demodulation",
        "lavlive/generator/runners/planned.py",
        "demodulation = (torch.mv(self.square, styles.square()) + epsilon).rsqrt() * self.gain",
        "demodulation = torch.ones_like(torch.mv(self.square, styles.square())) * self.gain",
        _GOLDEN,
    ),
    Mutation(
        "the network that runners are held against, without demodulation",
        "lavlive/generator/network.py",
        "demodulation = (F.linear(styles.square(), square) + _EPSILON).rsqrt()",
        "demodulation = torch.ones_like(F.linear(styles.square(), square))",
        "tests/test_runner.py::test_every_runner_makes_the_networks_pictures[skip-None-TorchRunner]",
    ),
)


def notices(mutation: Mutation, copy: Path) -> bool:
    """Whether the test fails with the change; the copy is left as it was.

    Raises:
        SystemExit: the place is not there, or the test fails without the change, too.
    """
    file = copy / mutation.file
    whole = file.read_text(encoding="utf-8")
    if whole.count(mutation.old) != 1:
        raise SystemExit(f"{mutation.file} no longer has one place for: {mutation.what}")
    try:
        file.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
        return not _passes([mutation.test], copy)
    finally:
        file.write_text(whole, encoding="utf-8")


def _passes(tests: list[str], copy: Path) -> bool:
    """Whether the tests pass. Anything but passing and failing, as a test that is not there, is an error."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest could not run {tests}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


def main() -> int:
    """Try every mutation."""
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="lavlive-mutations-") as folder:
        copy = Path(folder)
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        if not _passes(sorted({mutation.test for mutation in MUTATIONS}), copy):
            raise SystemExit("the tests fail without any mutation")
        print("| mutation | test | notices |\n|---|---|---|", flush=True)
        for mutation in MUTATIONS:
            noticed = notices(mutation, copy)
            unnoticed += not noticed
            print(f"| {mutation.what} | `{mutation.test}` | {'yes' if noticed else 'NO'} |", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
