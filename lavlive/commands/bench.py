"""``lavlive bench``: what is measured, and how.

    lavlive bench              each stage beside the baselines, then a show of --seconds
    lavlive bench --latency    clicks through a running show, split by stage
    lavlive bench --scale      resolution, outputs, window lengths
    lavlive bench --canvas     effects in the rack

Everything is printed as tables and, with --json, kept as JSON. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavlive.commands.options import BenchOptions
from lavlive.errors import UsageError

if TYPE_CHECKING:
    from lavlive.bench.canvas import CanvasResults
    from lavlive.bench.latency import LatencyResults
    from lavlive.bench.scale import ScaleResults
    from lavlive.bench.show import ShowResults
    from lavlive.bench.stages import StageResults

_PACKAGES = ("torch", "openvino", "onnxruntime", "encodec", "numpy")
_QUIET_LOAD = 0.3
"""Load per core above which the figures need a warning."""


def run_bench(options: BenchOptions) -> dict[str, Any]:
    """Measure what was asked for; prints tables, writes JSON, returns what that holds."""
    results: dict[str, Any] = {"machine": machine()}
    print(" ".join(f"{name} {value}" for name, value in results["machine"].items()))
    load = results["machine"]["load"]
    if load is not None and load > _QUIET_LOAD * (os.cpu_count() or 1):
        print("Other programs are busy here: figures are worse than this machine can do.", file=sys.stderr)
    if options.latency is not None:
        results["latency"] = _latency(options, options.latency)
    elif options.scale:
        results["scale"] = _scale(options)
    elif options.canvas:
        results["canvas"] = _canvas(options)
    else:
        if options.stages:
            results["stages"] = _stages(options)
        if options.show:
            results["show"] = _show(options)
    if options.json:
        write_json(Path(options.json), results)
    return results


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **versions,
        "time": time.strftime("%Y-%m-%d %H:%M"),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Write the figures.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(_plain(results), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The figures cannot be written to {path}: {error.strerror}.") from error


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _progress(what: str) -> Any:
    """A line on stderr that follows a long measurement; nothing when nobody watches."""
    if not sys.stderr.isatty():
        return lambda done: None

    def show(done: float) -> None:
        print(f"\r{what} {done:4.0%}", end="\n" if done >= 1 else "", file=sys.stderr, flush=True)

    return show


def _stages(options: BenchOptions) -> StageResults:
    from lavlive.bench.measure import summary_table, table
    from lavlive.bench.stages import measure_stages

    results = measure_stages(
        options.model, options.encoder, list(options.runner), options.seconds, options.threads
    )
    print(
        summary_table(
            f"\nStages: encoder {results.encoder}, generator {results.generator}", results.summaries
        )
    )
    header = ("stage", "than", "p10", "median of turns", "p5", "p95")
    for title, ratios in (("the best baseline", results.best), ("each baseline", results.ratios)):
        rows = [[r.what, r.baseline, r.times, r.median, r.p5, r.p95] for r in ratios]
        print(table(f"\nTimes faster than {title}", header, rows))
    gaps = [[gap.runner, gap.largest, gap.mean] for gap in results.differences]
    print(table("\nDifference to float32 torch, of 255", ("runner", "largest", "mean"), gaps))
    return results


def _show(options: BenchOptions) -> ShowResults:
    from lavlive.bench.measure import table
    from lavlive.bench.show import measure_show

    settings = _settings(options)
    output = "window" if options.window else "headless"
    results = measure_show(settings, options.seconds, output, _progress("show"))
    spacing, latency = results.spacing_ms, results.latency_ms
    rows: list[list[Any]] = [
        ["pictures/s", results.pictures_per_second],
        ["spacing, median ms", spacing[0]],
        ["spacing, p99 − median ms", spacing[2] - spacing[0]],
        ["newest sample to stage, median ms", latency[0]],
        ["newest sample to stage, p95 ms", latency[1]],
        *[[f"{name}, mean ms", mean] for name, mean in results.stages_ms.items()],
        ["xruns", results.xruns],
        ["dropped samples", results.dropped_samples],
        ["engine, cores busy", results.engine_cpu],
        ["stage, cores busy", results.stage_cpu],
        ["engine, MB", results.engine_megabytes],
        ["engine, MB/min growth", results.growth],
        ["first picture after, s", results.started_in],
    ]
    title = f"\nShow: {results.seconds:.0f} s, {output}, runner {results.runner}"
    print(table(title, ("what", "figure"), rows))
    return results


def _settings(options: BenchOptions) -> Any:
    from lavlive.link.settings import EngineSettings

    if len(options.runner) > 1:
        print(f"The show runs with {options.runner[0]}.", file=sys.stderr)
    runner = options.runner[0] if options.runner else "auto"
    return EngineSettings(model=options.model, encoder=options.encoder, runner=runner, rate=options.rate)


def _latency(options: BenchOptions, clicks: int) -> LatencyResults:
    from lavlive.audio.sources import SourceSpec
    from lavlive.bench.latency import measure_latency, plot
    from lavlive.bench.measure import summary_table

    source = None
    if options.input:
        source = SourceSpec("input", options.input)
    elif options.loopback is not None:
        source = SourceSpec("loopback", options.loopback or None)
    results = measure_latency(
        _settings(options),
        clicks,
        source,
        options.aloud,
        "window" if options.window else "headless",
        _progress("clicks"),
        options.output,
    )
    title = (
        f"\nSound to picture: {len(results.clicks)} of {results.played} clicks seen, by the {results.route}"
    )
    print(summary_table(title, results.summaries))
    delays = ", ".join(f"{group} {delay:.0f} ms" for group, delay in results.deliberate_ms.items())
    print(f"Deliberate delay of the default windows, apart: {delays}")
    if results.received is not None:
        arrived = results.received
        print(
            f"Click to picture received by {options.output}, another process: median {arrived.median:.0f}, "
            f"p95 {arrived.p95:.0f} ms of {arrived.count} clicks"
        )
    if options.plot:
        plot(results, str(options.plot))
    return results


def _scale(options: BenchOptions) -> ScaleResults:
    from lavlive.bench.measure import summary_table
    from lavlive.bench.scale import measure_scale

    runner = options.runner[0] if options.runner else "auto"
    output = "window" if options.window else "headless"
    results = measure_scale(options.model, options.encoder, runner, options.seconds, output)
    sizes = {f"{size}²": row for size, row in results.resolutions.items()}
    print(summary_table("\nOne picture, by resolution", sizes))
    outputs = {str(number): row for number, row in results.outputs.items()}
    print(summary_table("\nOne new picture on several outputs of 1280 × 720", outputs))
    windows = {f"{window:g} s": row for window, row in results.windows.items()}
    print(summary_table("\nOne hop after the encoder, by window", windows))
    return results


def _canvas(options: BenchOptions) -> CanvasResults:
    from lavlive.bench.canvas import measure_canvas
    from lavlive.bench.measure import summary_table, table

    results = measure_canvas(options.seconds, engine=_settings(options))
    width, height = results.size
    slots = {f"{count} effects": row for count, row in results.slots.items()}
    title = f"\nOne new picture on a canvas of {width} × {height}, drawn by {results.renderer} and read back"
    print(summary_table(title, slots))
    rows = [
        [f"{count} effects", one.drawn, one.made, one.xruns, one.dropped_samples]
        for count, one in results.beside_sound.items()
    ]
    header = ("canvas", "drawn/s", "made/s", "xruns", "dropped samples")
    print(table("\nThe same beside a running engine, drawn without a pause", header, rows))
    return results
