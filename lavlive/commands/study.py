"""``lavlive study``: does it follow the music?"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from lavlive.commands.options import StudyOptions
from lavlive.errors import UsageError


def run_study(options: StudyOptions) -> list[Path]:
    """Run the study and write its report; returns the report's files.

    Raises:
        LavliveError: a track, a model or the folder cannot be used.
    """
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
    folder = _folder(options.folder)
    kept = _folder(folder / "kept")
    tracks = find_tracks([str(track) for track in options.tracks], options.seconds)
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
    written = write_report(folder, about, findings)
    minutes = (time.monotonic() - began) / 60
    trials = f"{len(usable)} tracks, {len(findings)} of {about.planned} trials"
    print(f"{trials}, {minutes:.1f} minutes", file=sys.stderr)
    return written


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


def _command(options: StudyOptions) -> str:
    """What was typed, without the machine's paths."""
    parts = ["lavlive study TRACKS -o FOLDER"]
    parts += ["--quick"] if options.quick else [f"--seeds {options.seeds}"]
    parts.append(f"--seconds {options.seconds:g}")
    if options.encoder != "bundled":
        parts.append(f"--encoder {Path(options.encoder).name}")
    if options.model:
        parts.append(f"--model {Path(options.model).name}")
    return " ".join(parts)
