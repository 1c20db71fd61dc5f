"""``lavlive study``: does it follow the music?"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from lavlive.errors import UsageError

_SHORTEST_SECONDS = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``lavlive study``; imports nothing heavy."""
    parser.add_argument(
        "tracks", nargs="+", metavar="TRACK", help="wav, flac, ogg or mp3, or folders of them; ten or more"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="for the report; goes on where it stopped"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few conditions, two seeds: to see that it works"
    )
    parser.add_argument(
        "--so-far", action="store_true", help="run nothing more: the report of what is done on every track"
    )
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="random projections (default: 20)")
    parser.add_argument(
        "--seconds", type=float, default=45.0, metavar="N", help="heard of each track (default: 45)"
    )
    parser.add_argument(
        "--model",
        metavar="FILE",
        help="a bundled generator's name or a file; the first bundled one if not given",
    )
    parser.add_argument(
        "--encoder", default="bundled", metavar="FILE|bundled|encodec|…", help="default: %(default)s"
    )
    parser.add_argument("--runner", default="auto", help="of the generator (default: auto)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core, at most 8)")


def main(options: argparse.Namespace) -> int:
    """Run the study and write its report; returns the exit status."""
    _check(options)
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError("Figures need matplotlib: pip install 'lavlive[study]'.") from error
    from lavlive.study.conditions import plan
    from lavlive.study.drivers import driver_names, open_driver
    from lavlive.study.laboratory import Workers, look_into, make_projections, prepare, run_all
    from lavlive.study.material import find_tracks
    from lavlive.study.report import About, write_report
    from lavlive.study.trial import Setup

    began = time.monotonic()
    folder = _folder(options.output)
    kept = _folder(folder / "kept")
    tracks = find_tracks(options.tracks, options.seconds)
    names = driver_names(options.encoder)
    open_driver(names[0])
    generator = look_into(options.model)
    conditions = plan(names, min(options.seeds, 2) if options.quick else options.seeds, options.quick)
    workers = Workers(options.jobs or min(os.cpu_count() or 1, 8))
    try:
        usable, notes = prepare(workers, tracks, conditions, options.seconds, kept)
        for note in notes:
            print(f"lavlive: {note}", file=sys.stderr)
        if not usable:
            raise UsageError("None of the tracks can be studied.")
        files, learned = make_projections(usable, conditions, generator, options.seconds, kept)
        setup = Setup(kept, tuple(usable), options.seconds, options.model, options.runner, files)
        findings = run_all(workers, setup, conditions, generator, options.so_far)
    finally:
        workers.close()
    if not findings:
        raise UsageError(f"Nothing is done on every track yet; go on without --so-far into {folder}.")
    if learned is not None:
        _save_learned(folder / "learned.safetensors", learned)
    about = About(
        command=_command(options),
        generator=generator.name,
        trained=generator.trained,
        encoder=options.encoder,
        drivers=tuple(names),
        tracks=tuple(track.name for track in usable),
        seconds=options.seconds,
        notes=tuple(notes),
        quick=options.quick,
        planned=len(usable) * len(conditions),
    )
    for path in write_report(folder, about, findings):
        print(path)
    minutes = (time.monotonic() - began) / 60
    trials = f"{len(usable)} tracks, {len(findings)} of {about.planned} trials"
    print(f"{trials}, {minutes:.1f} minutes", file=sys.stderr)
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.seeds < 1:
        raise UsageError(f"--seeds takes at least 1, not {options.seeds}.")
    if not _SHORTEST_SECONDS <= options.seconds <= 3600:
        raise UsageError(
            f"--seconds takes {_SHORTEST_SECONDS:g} to 3600 s of each track, not {options.seconds:g}."
        )
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs takes at least 1, not {options.jobs}.")


def _folder(path: str | Path) -> Path:
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise UsageError(f"The report cannot go to {folder}: {error.strerror or error}.") from error
    return folder


def _save_learned(path: Path, matrix: object) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"projection": np.ascontiguousarray(matrix, np.float32)}, path)


def _command(options: argparse.Namespace) -> str:
    """What was typed, without the machine's paths."""
    parts = ["lavlive study TRACKS -o FOLDER"]
    parts += ["--quick"] if options.quick else [f"--seeds {options.seeds}"]
    parts.append(f"--seconds {options.seconds:g}")
    if options.encoder != "bundled":
        parts.append(f"--encoder {Path(options.encoder).name}")
    if options.model:
        parts.append(f"--model {Path(options.model).name}")
    return " ".join(parts)
