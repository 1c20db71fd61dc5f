"""Proves the GPU path in at most eight minutes, or says what fails.

    tools/gpu-check --out docs/gpu            on a machine with an NVIDIA GPU
    tools/gpu-check --out /tmp/x --small      the same steps on the CPU at small sizes, for the tests

Needs torch, numpy and safetensors beside lavlive. What needs more (the whole engine, the canvas) is left
out where its packages are missing, and said so. After every step the figures so far are in
``gpu-check.json``, so nothing is lost when the machine goes away; at the end comes a table. A step that
fails is a line of the table and not the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tools.gpu import steps
from tools.gpu.steps import Sizes

LEFT_OUT = "left out"
Step = Callable[[Sizes, dict[str, Any]], None]

STEPS: tuple[tuple[str, Step, float], ...] = (
    ("correctness", steps.correctness, 70),
    ("pinned slots", steps.pinned_slots, 10),
    ("pictures", steps.pictures, 120),
    ("encoder", steps.encoder, 25),
    ("both at once", steps.both_at_once, 65),
    ("swaps", steps.swaps, 60),
    ("out of memory", steps.out_of_memory, 25),
    ("engine", steps.engine, 60),
    ("canvas", steps.canvas, 25),
)
"""Name, what it does, and about how many seconds it takes on an H100."""


@dataclass
class Report:
    """What was found so far, kept in a file."""

    path: Path
    found: dict[str, Any] = field(default_factory=dict)

    def keep(self) -> None:
        """Write the file whole."""
        temporary = self.path.with_suffix(".part")
        temporary.write_text(json.dumps(self.found, indent=1, default=str) + "\n", encoding="utf-8")
        os.replace(temporary, self.path)

    def table(self) -> str:
        """Every figure on a line of its own."""
        lines = []
        for step, figures in self.found.items():
            lines.append(step)
            lines += [f"    {name:<58} {_shown(value)}" for name, value in figures.items()]
        return "\n".join(lines)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures depend on."""
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "time": time.strftime("%Y-%m-%d %H:%M"),
        "device": str(device),
        "cores": os.cpu_count(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "GPU": properties.name,
            "memory, MiB": properties.total_memory >> 20,
            "compute capability": f"{properties.major}.{properties.minor}",
            "CUDA": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version(),
        }
    return found


def run(sizes: Sizes, out: Path, seconds: float, only: list[str]) -> Report:
    """Do the steps until the time is over; one that cannot be finished in it is not begun.

    One that takes longer than was thought ends the process when the time is over, with what was found.
    """
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    report = Report(out / "gpu-check.json", {"machine": machine(sizes.device)})
    watchdog = threading.Timer(seconds, _end_in_time, (report,))
    watchdog.daemon = True
    watchdog.start()
    try:
        _do_all(report, sizes, began + seconds, only)
    finally:
        watchdog.cancel()
    return report


def _end_in_time(report: Report) -> None:
    report.found["ended"] = {"FAILED": "the time was over in the middle of a step"}
    with contextlib.suppress(RuntimeError):  # the step may be adding a figure at this very moment
        report.keep()
        print(report.table(), flush=True)
    os._exit(1)


def _do_all(report: Report, sizes: Sizes, end: float, only: list[str]) -> None:
    for name, step, expected in STEPS:
        figures: dict[str, Any] = {}
        report.found[name] = figures
        left = end - time.perf_counter()
        if only and name not in only:
            figures[LEFT_OUT] = "not asked for"
        elif not sizes.small and left < 0.8 * expected:
            figures[LEFT_OUT] = f"{left:.0f} s are left, about {expected:.0f} are needed"
        else:
            _do(name, step, sizes, figures)
        report.keep()


def _do(name: str, step: Step, sizes: Sizes, figures: dict[str, Any]) -> None:
    began = time.perf_counter()
    print(f"{name} …", file=sys.stderr, flush=True)
    try:
        step(sizes, figures)
    except ModuleNotFoundError as missing:
        figures[LEFT_OUT] = f"there is no package {missing.name} here"
    except Exception as failure:  # the other steps are worth having
        figures["FAILED"] = f"{type(failure).__name__}: {failure}"
        figures["trace"] = traceback.format_exc().splitlines()[-6:]
    figures["took, s"] = round(time.perf_counter() - began, 1)


def main(arguments: list[str]) -> int:
    """Status 1 when a step failed."""
    parser = argparse.ArgumentParser(prog="tools/gpu-check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu-check.json and the table")
    parser.add_argument("--minutes", type=float, default=8.0, help="at most so long (default: 8)")
    parser.add_argument("--small", action="store_true", help="on the CPU at small sizes")
    parser.add_argument("--only", action="append", default=[], metavar="STEP", help="only this; repeat")
    options = parser.parse_args(arguments)
    if not options.small and not torch.cuda.is_available():
        print("There is no CUDA device here; --small does the steps on the CPU.", file=sys.stderr)
        return 2
    sizes = Sizes.on_cpu() if options.small else Sizes.on_gpu()
    report = run(sizes, options.out, 60 * options.minutes, options.only)
    table = report.table()
    (options.out / "gpu-check.txt").write_text(table + "\n", encoding="utf-8")
    print(table)
    return int(any("FAILED" in figures for figures in report.found.values()))
