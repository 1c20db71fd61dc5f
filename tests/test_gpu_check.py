"""`tools/gpu-check` does its steps on the CPU with three packages; of a GPU that says nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.gpu import check, steps
from tools.gpu.check import STEPS
from tools.gpu.steps import Sizes

ROOT = Path(__file__).parent.parent

WITH_THREE_PACKAGES = """
import importlib.abc, importlib.machinery, runpy, sys

MAY = {"torch", "numpy", "safetensors", "lavlive", "tools"}
TORCHS_OWN = {"typing_extensions", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "filelock",
              "fsspec", "torchgen", "functorch", "packaging", "setuptools"}


class Only(importlib.abc.MetaPathFinder):
    @staticmethod
    def find_spec(name, path=None, target=None):
        head = name.partition(".")[0]
        known = head in sys.stdlib_module_names or head in MAY | TORCHS_OWN or head.startswith("_")
        return importlib.machinery.PathFinder.find_spec(name, path, target) if known else None


sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, Only]
script, sys.argv = sys.argv[1], sys.argv[1:]
runpy.run_path(script, run_name="__main__")
"""


def run_small(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITH_THREE_PACKAGES, script, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)


def test_the_script_runs_to_its_end_with_torch_numpy_and_safetensors_alone(tmp_path: Path) -> None:
    done = run_small("tools/gpu-check", "--small", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu-check.json").read_text())
    assert list(found) == ["machine", *(name for name, _, _ in STEPS)]
    assert not any("FAILED" in figures for figures in found.values())
    left_out = [name for name, figures in found.items() if "left out" in figures]
    assert left_out == ["engine", "canvas"]
    assert found["correctness"]["16² clamped: largest difference, of 255"] <= 8
    assert found["correctness"]["16² skip: spread of the exact pictures"] > 10
    assert found["swaps"]["swaps"] == 2
    assert len(found["swaps"]["memory after each, MiB"]) == 3
    assert "are free" in found["out of memory"]["too little: refused"]
    assert found["both at once"]["60 a second: hops"] > 0
    assert found["machine"]["device"] == "cpu"
    assert "times faster than the best" in (tmp_path / "gpu-check.txt").read_text()


def test_a_step_that_fails_is_a_line_and_what_was_found_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(sizes: Sizes, made: Any, ws: Any) -> Any:
        return steps.np.zeros((len(ws), 16, 16, 3), "int16")

    monkeypatch.setattr(steps, "_exact", wrong)

    def lacking(sizes: Sizes, found: dict[str, Any]) -> None:
        found["so far"] = 1
        raise ModuleNotFoundError("no psutil", name="psutil")

    chosen = (("correctness", steps.correctness, 1.0), ("engine", lacking, 1.0), ("slow", lacking, 1e6))
    monkeypatch.setattr(check, "STEPS", chosen)
    report = check.run(Sizes.on_cpu(), tmp_path, 60.0, ["correctness", "engine"])
    assert "beyond the bound" in report.found["correctness"]["FAILED"]
    assert report.found["engine"] == {
        "so far": 1,
        "left out": "there is no package psutil here",
        "took, s": report.found["engine"]["took, s"],
    }
    assert report.found["slow"]["left out"] == "not asked for"
    assert json.loads((tmp_path / "gpu-check.json").read_text()) == report.found
    assert check.main(["--small", "--out", str(tmp_path), "--only", "correctness"]) == 1
