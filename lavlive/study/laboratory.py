"""Runs every condition on every track, in several processes, and keeps each result as it comes."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from lavlive.engine.loading import load_model
from lavlive.engine.picture_worker import Model
from lavlive.errors import LavliveError
from lavlive.generator.importing import open_model
from lavlive.generator.wstats import w_statistics
from lavlive.link.environment import prepare_process
from lavlive.resources import generator_file
from lavlive.study import projections, sound
from lavlive.study.conditions import Condition
from lavlive.study.drivers import UNTRAINED
from lavlive.study.material import (
    WARM_UP,
    Heard,
    StudyTrack,
    driver_identity,
    hear_track,
    latents_of_driver,
    save_whole,
)
from lavlive.study.trial import Result, Setup, run_trial

VERSION = 3
"""Grows when a measure or the path changes, so that results kept before are not mistaken for new ones."""

_FOLDS = 2
_AT_ONCE = 3
"""Conditions of one track that a process takes at a time."""


@dataclass(frozen=True)
class Finding:
    """What one condition gave on one track."""

    track: str
    condition: Condition
    result: Result


@dataclass(frozen=True)
class Generator:
    """What a study must know of a generator besides its pictures.

    Attributes:
        name, hash: of the model.
        trained: False for a placeholder.
        directions, spreads: W's principal directions [w_dim, w_dim] and spreads, in W_std.
    """

    name: str
    hash: str
    trained: bool
    directions: np.ndarray
    spreads: np.ndarray


def look_into(model: str | None) -> Generator:
    """The generator's W and hash.

    Raises:
        CheckpointError: it cannot be read.
    """
    path = generator_file(model)
    loaded = open_model(path)
    statistics = w_statistics(loaded.generator, loaded.hash, class_index=0)
    directions, spreads = projections.principal_directions(statistics.covariance, statistics.std)
    name = loaded.card.get("name") or path.stem
    return Generator(name, loaded.hash, bool(loaded.card.get("trained", True)), directions, spreads)


class Workers:
    """Processes that share a study's work.

    Args:
        jobs: how many. One is a process of its own too, whose linear algebra keeps to one thread.
    """

    def __init__(self, jobs: int) -> None:
        # Threads of linear algebra in every process would wait for each other on the same cores, spinning.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        self._pool = ProcessPoolExecutor(
            jobs, multiprocessing.get_context("spawn"), initializer=_begin_worker
        )

    def each(self, work: Any, tasks: list[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """Tasks with what `work(*task)` gave, or the LavliveError that it raised, as they are done."""
        waiting = {self._pool.submit(_attempt, work, *task): task for task in tasks}
        for done in as_completed(waiting):
            yield waiting[done], done.result()

    def close(self) -> None:
        """End the processes; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)


def _attempt(work: Any, *task: Any) -> Any:
    try:
        return work(*task)
    except LavliveError as error:
        return error


def _begin_worker() -> None:
    prepare_process()
    torch.set_num_threads(1)


def prepare(
    workers: Workers, tracks: list[StudyTrack], conditions: list[Condition], seconds: float, folder: Path
) -> tuple[list[StudyTrack], list[str]]:
    """Decode, describe and encode every track.

    Returns:
        The tracks that can be studied, and a line for each that cannot.
    """
    wanted = sorted({(c.driver, c.seed if c.driver == UNTRAINED else 0) for c in conditions})
    tasks: list[tuple[Any, ...]] = [(track, wanted, seconds, folder) for track in tracks]
    broken: dict[str, str] = {}
    progress = tqdm(total=len(tasks), desc="listening", unit="track", disable=None)
    for task, outcome in workers.each(_prepare_track, tasks):
        progress.update()
        if isinstance(outcome, LavliveError):
            broken[task[0].name] = f"left out: {outcome}"
    progress.close()
    return [track for track in tracks if track.name not in broken], [
        broken[track.name] for track in tracks if track.name in broken
    ]


def _prepare_track(track: StudyTrack, wanted: list[tuple[str, int]], seconds: float, folder: Path) -> None:
    hear_track(track, seconds, folder)
    for driver, seed in wanted:
        latents_of_driver(track, driver, seed, seconds, folder)


def make_projections(
    tracks: list[StudyTrack], conditions: list[Condition], generator: Generator, seconds: float, folder: Path
) -> tuple[dict[str, Path], np.ndarray | None]:
    """The matrices of conditions that are not lavlive's own, in files.

    A learned projection is fitted on half of the tracks and judged on the other half, both ways round.

    Returns:
        Files by ``projection:driver:track``, and the projection learned from all tracks together, for a user.
    """
    files: dict[str, Path] = {}
    everything = None
    for projection, driver in sorted({(c.projection, c.driver) for c in conditions}):
        if projection not in ("aligned", "learned"):
            continue
        known = [latents_of_driver(track, driver, 0, seconds, folder) for track in tracks]
        heard = [hear_track(track, seconds, folder) for track in tracks]
        calibration = known[0][1]
        windows = [_windows(latents, one) for (latents, _), one in zip(known, heard, strict=True)]
        if projection == "learned":
            everything = _learn(windows, generator, known[0][1])
        for index, track in enumerate(tracks):
            own = "all" if projection == "aligned" else str(index % _FOLDS)
            path = folder / f"projection-{projection}-{own}.npz"
            if str(path) not in {str(p) for p in files.values()}:
                if projection == "aligned":
                    matrix = projections.aligned(calibration, generator.directions, generator.spreads)
                else:
                    others = [w for place, w in enumerate(windows) if place % _FOLDS != index % _FOLDS]
                    # A single track has no other to learn from.
                    matrix = _learn(others or windows, generator, calibration)
                save_whole(path, projection=matrix)
            files[f"{projection}:{driver}:{track.name}"] = path
    return files, everything


def _windows(latents: np.ndarray, heard: Heard) -> tuple[np.ndarray, np.ndarray]:
    ends = sound.window_ends(len(latents), WARM_UP)
    return sound.window_means(latents, ends), heard.description.whole


def _learn(
    windows: list[tuple[np.ndarray, np.ndarray]], generator: Generator, calibration: Any
) -> np.ndarray:
    latents = np.concatenate([one - one.mean(axis=0) for one, _ in windows]) + calibration.mean
    sounds = np.concatenate([one for _, one in windows])
    return projections.learned(latents, sounds, generator.directions, calibration)


def run_all(
    workers: Workers, setup: Setup, conditions: list[Condition], generator: Generator, so_far: bool = False
) -> list[Finding]:
    """Every condition on every track; those done before are read, not run.

    Args:
        so_far: run nothing; find only the conditions that are done on every track.

    Raises:
        LavliveError: a trial met what a user can mend; what was done so far is kept.
    """
    journal = _Journal(setup, generator)
    if so_far:
        conditions = [c for c in conditions if all(journal.find(track, c) for track in setup.tracks)]
    else:
        _run_missing(workers, setup, conditions, journal)
    findings = []
    for track in setup.tracks:
        for condition in conditions:
            found = journal.find(track, condition)
            assert found is not None
            findings.append(Finding(track.name, condition, found))
    return findings


def _run_missing(workers: Workers, setup: Setup, conditions: list[Condition], journal: _Journal) -> None:
    open_tasks: list[tuple[Any, ...]] = []
    for at in range(0, len(conditions), _AT_ONCE):
        for track in setup.tracks:
            left = [c for c in conditions[at : at + _AT_ONCE] if journal.find(track, c) is None]
            if left:
                open_tasks.append((setup, track, left))
    total = len(setup.tracks) * len(conditions)
    progress = tqdm(total=total, desc="trials", unit="trial", disable=None)
    progress.update(total - sum(len(task[2]) for task in open_tasks))
    for task, outcome in workers.each(run_some, open_tasks):
        if isinstance(outcome, LavliveError):
            raise outcome
        for condition, result in zip(task[2], outcome, strict=True):
            journal.keep(task[1], condition, result)
        progress.update(len(outcome))
    progress.close()


_opened: dict[tuple[str | None, str], Model] = {}


def run_some(setup: Setup, track: StudyTrack, conditions: list[Condition]) -> list[Result]:
    """Several conditions on one track, in whatever process this is; the model stays open in it."""
    key = (setup.model, setup.runner)
    if key not in _opened:
        _opened[key] = load_model(setup.model, setup.runner)[0]
    return [run_trial(setup, track, condition, _opened[key]) for condition in conditions]


class _Journal:
    """Results on disk, a line each, found again by all that they depend on."""

    def __init__(self, setup: Setup, generator: Generator) -> None:
        self._path = setup.folder / "trials.jsonl"
        self._common = [VERSION, sorted(t.digest for t in setup.tracks), setup.seconds, generator.hash]
        self._matrices = {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in setup.projections.items()
        }
        self._identities: dict[str, str] = {}
        self._kept: dict[str, Result] = {}
        if self._path.is_file():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def find(self, track: StudyTrack, condition: Condition) -> Result | None:
        """What was found before, or None."""
        return self._kept.get(self._key(track, condition))

    def keep(self, track: StudyTrack, condition: Condition, result: Result) -> None:
        """Write a result."""
        key = self._key(track, condition)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps([key, result]) + "\n")
        # As it will be read: the report must not depend on what was kept and what was just made.
        self._kept[key] = json.loads(json.dumps(result))

    def _read(self, line: str) -> None:
        try:
            key, result = json.loads(line)
        except ValueError:  # the last line of a study that was killed
            return
        self._kept[key] = result

    def _key(self, track: StudyTrack, condition: Condition) -> str:
        if condition.driver not in self._identities:
            self._identities[condition.driver] = driver_identity(condition.driver)
        matrix = self._matrices.get(f"{condition.projection}:{condition.driver}:{track.name}", "")
        what = [
            *self._common,
            track.digest,
            condition.as_dict(),
            self._identities[condition.driver],
            matrix,
        ]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
