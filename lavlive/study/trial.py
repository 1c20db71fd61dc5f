"""One condition on one track: run the real path, make pictures, take every measure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lavlive.diagnosis.meters import Diagnosis
from lavlive.diagnosis.signs import Signs
from lavlive.engine.picture_worker import Model
from lavlive.errors import SourceError
from lavlive.latent.path import LatentPath
from lavlive.parameters import GROUPS, Values
from lavlive.study import measures, pictures, sound
from lavlive.study.conditions import Condition
from lavlive.study.drivers import Recorded, driver_hash
from lavlive.study.material import WARM_UP, Heard, RecordedFeatures, StudyTrack, kept_track, latents_of_driver

PICTURES_A_WINDOW = 2
MOTION_PICTURES_A_SECOND = 15.0
MOTION_SECONDS = 12.0
_METER_SECONDS = 14.0
_METER_WARM_UP = 10.0
"""Of them are left out of the medians: the meters look back so far."""
_STRAIGHT_SECONDS = 0.2
STAGES = ("embedding", "w", "w+", "picture")
"""Where along the path the geometry is compared with that of the sound."""

METERS = ("diversity", "jitter", "jitter_share", "lag", "onset_lag", "strangeness", "distance")
"""Those of `Signs` that have a value per layer group."""

Result = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """What all trials of a study share; travels to the processes that run them.

    Attributes:
        folder: of what is kept.
        tracks: all of the study; the other ones are a track's control.
        seconds: heard of each.
        model, runner: of `loading.load_model`.
        projections: files of matrices for projections that are not lavlive's own, by the name of the
            projection and, after a colon, of the track that it is for.
    """

    folder: Path
    tracks: tuple[StudyTrack, ...]
    seconds: float
    model: str | None
    runner: str
    projections: dict[str, Path]


@dataclass(frozen=True)
class Run:
    """What a condition made of a track.

    Attributes:
        deviation, unsmoothed: float32 [hops, 3, w_dim], in W_std, after and before smoothing.
            signs: medians of the meters, per name [3]; empty unless asked for.
        windowed: L*a*b* thumbnails averaged over windows, [windows, 768], or None.
        moving: thumbnails at `MOTION_PICTURES_A_SECOND`, [n, 768], or None.
    """

    deviation: np.ndarray
    unsmoothed: np.ndarray
    signs: dict[str, list[float]]
    windowed: np.ndarray | None
    moving: np.ndarray | None


def run_trial(setup: Setup, track: StudyTrack, condition: Condition, model: Model) -> Result:
    """Every measure of a condition on a track, as JSON takes it."""
    heard = _heard(setup.folder, track)
    latents, calibration = latents_of_driver(
        track, condition.driver, condition.seed, setup.seconds, setup.folder
    )
    matrix = None
    if condition.projection in ("aligned", "learned"):
        with np.load(setup.projections[f"{condition.projection}:{condition.driver}:{track.name}"]) as kept:
            matrix = kept["projection"]
    listener, w_dim = RecordedFeatures(heard), model.runner.w_dim
    recorded = Recorded(latents, driver_hash(condition.driver))
    path = LatentPath(recorded, calibration, matrix, listener=listener, w_dim=w_dim)
    run = _run(condition, path, len(latents), model)
    return {**_geometry(setup, track, latents, run), **_motion(setup, track, run), "signs": run.signs}


def target_values(condition: Condition) -> Values:
    """The parameters of a condition: the defaults, and what it changes."""
    values = Values(dict(condition.settings))
    values.set("projection.seed", condition.seed)
    kind = condition.projection
    values.set("projection.kind", "learned" if kind == "aligned" else kind)
    return values


def _run(condition: Condition, path: LatentPath, hops: int, model: Model) -> Run:
    values = target_values(condition)
    silence = np.zeros(sound.HOP, np.float32)
    deviation = np.empty((hops, len(GROUPS), path.w_dim), np.float32)
    unsmoothed = np.empty_like(deviation)
    shown = set(picture_hops(hops).tolist()) if condition.pictures else set()
    moving = set(motion_hops(hops).tolist()) if condition.motion else set()
    still: list[np.ndarray] = []
    fast: list[np.ndarray] = []
    diagnosis = Diagnosis(path.rate, model.space(0).distribution)
    first_metered = hops - round(_METER_SECONDS * path.rate)
    signs: list[Signs] = []
    for _ in range(hops if condition.rehearsed else 0):
        path.step(silence, values.numbers)
    for hop in range(hops):
        latent = path.step(silence, values.numbers)
        deviation[hop], unsmoothed[hop] = latent.deviation, latent.unsmoothed
        if condition.meters and hop >= first_metered:
            signs.append(diagnosis.step(latent))
        if hop in shown or hop in moving:
            seen = pictures.thumbnail(model.picture(latent))
            still += [seen] if hop in shown else []
            fast += [seen] if hop in moving else []
    settled = signs[round(_METER_WARM_UP * path.rate) :]
    return Run(
        deviation,
        unsmoothed,
        {
            name: [float(v) for v in _median([getattr(s, name) for s in settled])]
            for name in METERS
            if settled
        },
        np.array(still) if still else None,
        np.array(fast) if fast else None,
    )


def _median(rows: list[np.ndarray]) -> np.ndarray:
    values = np.array(rows, np.float64)
    known = np.isfinite(values).any(axis=0)
    medians = np.full(values.shape[1], np.nan)
    medians[known] = np.nanmedian(values[:, known], axis=0)
    return medians


def picture_hops(hops: int) -> np.ndarray:
    """The hops whose pictures are compared with windows: `PICTURES_A_WINDOW`, evenly over each."""
    ends = sound.window_ends(hops, WARM_UP)
    length = sound.WINDOW_SECONDS * sound.HOP_RATE
    offsets = np.round((np.arange(PICTURES_A_WINDOW) + 0.5) * length / PICTURES_A_WINDOW).astype(int)
    return np.unique((ends[:, None] - 1 - offsets[None, :]).ravel())


def motion_hops(hops: int) -> np.ndarray:
    """The hops of a stretch of `MOTION_SECONDS` after the warm-up, `MOTION_PICTURES_A_SECOND` each second."""
    count = round(MOTION_SECONDS * MOTION_PICTURES_A_SECOND)
    steps = np.arange(count) * sound.HOP_RATE / MOTION_PICTURES_A_SECOND
    at = np.round(WARM_UP * sound.HOP_RATE + steps).astype(int)
    return at[at < hops]


def _windowed_pictures(thumbnails: np.ndarray, hops: int) -> np.ndarray:
    """Mean thumbnail of each window, float64 [windows, 768]."""
    at = picture_hops(hops)
    length = round(sound.WINDOW_SECONDS * sound.HOP_RATE)
    ends = sound.window_ends(hops, WARM_UP)
    return np.array([thumbnails[(at >= end - length) & (at < end)].mean(axis=0) for end in ends])


@lru_cache(maxsize=64)
def _heard(folder: Path, track: StudyTrack) -> Heard:
    heard = kept_track(track, folder)
    if heard is None:
        raise SourceError(f"What was kept of {track.path} is gone; begin the study again.")
    return heard


@lru_cache(maxsize=64)
def _sound_distances(folder: Path, track: StudyTrack) -> np.ndarray:
    return measures.distances(_heard(folder, track).description.whole)


@lru_cache(maxsize=64)
def _sections(folder: Path, track: StudyTrack) -> np.ndarray:
    return measures.sections(_sound_distances(folder, track), sound.STRIDE_SECONDS)


def _geometry(setup: Setup, track: StudyTrack, latents: np.ndarray, run: Run) -> Result:
    hops = len(latents)
    ends = sound.window_ends(hops, WARM_UP)
    stages = {
        "embedding": sound.window_means(latents, ends),
        "w": sound.window_means(run.unsmoothed, ends),
        "w+": sound.window_means(run.deviation, ends),
    }
    width = run.deviation.shape[2]
    for index, group in enumerate(GROUPS):
        stages[group] = stages["w+"][:, width * index : width * (index + 1)]
    if run.windowed is not None:
        stages["picture"] = _windowed_pictures(run.windowed, hops)
    tables = {name: measures.distances(values) for name, values in stages.items()}
    true = _sound_distances(setup.folder, track)
    result: Result = {"rsa": {}, "rsa_shifted": {}, "rsa_wrong": {}, "found": {}}
    for name, table in tables.items():
        own, shifted, wrong, found = _compare(setup, track, true, table)
        result["rsa"][name], result["rsa_shifted"][name] = own, shifted
        result["rsa_wrong"][name], result["found"][name] = wrong, found
    stride = sound.STRIDE_SECONDS
    result["kept"] = {
        f"{one} to {other}": measures.similarity(tables[one], tables[other], stride)
        for one, other in (("embedding", "w"), ("embedding", "w+"), ("w", "w+"), ("w+", "picture"))
        if other in tables
    }
    compared = [name for name in ("w+", "picture") if name in tables]
    blocks = _heard(setup.folder, track).description.blocks
    result["blocks"] = {name: _block_similarities(blocks, tables[name]) for name in compared}
    result["section_count"] = int(_sections(setup.folder, track).max()) + 1
    result["sections"] = {n: _sections_told_apart(setup, track, tables[n]) for n in ("embedding", *compared)}
    result["neighbours"] = {n: _neighbours_found(setup, track, tables[n]) for n in ("embedding", *compared)}
    result["straightness"] = [
        measures.straightness(run.deviation[ends[0] :, index], round(_STRAIGHT_SECONDS * sound.HOP_RATE))
        for index in range(len(GROUPS))
    ]
    if run.windowed is not None:
        away = run.windowed - run.windowed.mean(axis=0)
        result["picture_spread"] = float(np.sqrt((away**2).sum(axis=1).mean()) / pictures.SIDE)
    return result


def _compare(
    setup: Setup, track: StudyTrack, true: np.ndarray, table: np.ndarray
) -> tuple[float, float, float, float]:
    """Similarity with the track's own sound, with that sound shifted in time, with the other tracks' sounds;
    and whether its own was the most similar of all (NaN for a single track).
    """
    stride, size = sound.STRIDE_SECONDS, len(table)
    own = measures.similarity(true, table, stride)
    shifted = measures.by_chance(
        lambda shift: measures.similarity(measures.rolled(true, shift), table, stride), size
    )
    others = []
    for other in setup.tracks:
        if other == track:
            continue
        foreign = _sound_distances(setup.folder, other)
        common = min(size, len(foreign))
        others.append(measures.similarity(foreign[:common, :common], table[:common, :common], stride))
    if not others or not np.isfinite(own):
        return own, shifted, float("nan"), float("nan")
    return own, shifted, float(np.mean(others)), float(own > max(others))


def _block_similarities(blocks: dict[str, np.ndarray], table: np.ndarray) -> dict[str, float]:
    stride = sound.STRIDE_SECONDS
    return {
        name: measures.similarity(measures.distances(values), table, stride)
        for name, values in blocks.items()
    }


def _sections_told_apart(setup: Setup, track: StudyTrack, table: np.ndarray) -> list[float]:
    """The area under the curve, and its mean with the sections of the other tracks."""

    def area(one: StudyTrack) -> float:
        labels = _sections(setup.folder, one)
        common = min(len(labels), len(table))
        return measures.section_area(table[:common, :common], labels[:common], sound.STRIDE_SECONDS)

    return [area(track), _mean_of_known([area(other) for other in setup.tracks if other != track])]


def _neighbours_found(setup: Setup, track: StudyTrack, table: np.ndarray) -> list[float]:
    """The share of neighbours found, and its mean with the sounds of the other tracks."""

    def share(one: StudyTrack) -> float:
        true = _sound_distances(setup.folder, one)
        common = min(len(true), len(table))
        return measures.shared_neighbours(
            true[:common, :common], table[:common, :common], sound.STRIDE_SECONDS
        )

    return [share(track), _mean_of_known([share(other) for other in setup.tracks if other != track])]


def _mean_of_known(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _motion(setup: Setup, track: StudyTrack, run: Run) -> Result:
    begins = {one.name: _heard(setup.folder, one).description.flux for one in setup.tracks}
    start, rate = round(WARM_UP * sound.HOP_RATE), sound.HOP_RATE
    causes = {name: flux[start:] for name, flux in begins.items()}
    onsets: Result = {}
    for index, group in enumerate(GROUPS):
        motion = measures.speed(run.deviation[:, index])[start:]
        onsets[group] = _answer(causes, track.name, motion, rate)
    result: Result = {"onsets": onsets}
    if run.moving is not None:
        at = motion_hops(len(run.deviation))
        step, rate = sound.HOP_RATE / MOTION_PICTURES_A_SECOND, MOTION_PICTURES_A_SECOND
        changed = pictures.change(run.moving)
        # What begins between two pictures is seen in the second of them.
        shown = {
            name: np.array([flux[round(hop - step) + 1 : hop + 1].max() for hop in at[1:]])
            for name, flux in begins.items()
            if len(flux) > at[-1]
        }
        onsets["picture"] = _answer(shown, track.name, changed, rate)
        result["picture_change"] = float(changed.mean())
        curve = measures.answer_curve(shown[track.name], changed, rate, 1.0)
        result["onset_curve"] = [float(value) for value in curve]
    return result


def _answer(causes: dict[str, np.ndarray], own: str, effect: np.ndarray, rate: float) -> list[float]:
    """Correlation with what begins in the own track, its delay in seconds, and the correlation that the
    other tracks reach: with the best of many delays even a stranger has some.
    """
    value, delay = measures.answer(causes[own], effect, rate)
    others = []
    for name, cause in causes.items():
        common = min(len(cause), len(effect))
        if name != own and common > 4 * rate:
            others.append(measures.answer(cause[:common], effect[:common], rate)[0])
    return [value, delay, _mean_of_known(others)]
