"""The command ``lavlive farm render``: a film like ``lavlive render``'s, drawn by many workers."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lavlive import __version__
from lavlive.audio.channels import Pick
from lavlive.audio.tracks import Track, read_track
from lavlive.commands.options import FarmOptions, text_of
from lavlive.commands.render import (
    LEAST_HEARD_SECONDS,
    Scene,
    find_dials,
    look_of,
    moving,
    open_path,
    tell,
    untrained_notice,
    use_keyframes,
)
from lavlive.commands.results import Rendered
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.starting import initial_model
from lavlive.engine.loading import encoder_notes, load_model
from lavlive.engine.offline import Clip, latents_of, published_latents_of
from lavlive.engine.picture_worker import Model
from lavlive.errors import UsageError
from lavlive.farm.head import FarmReport, Head
from lavlive.farm.joining import Film, write_sound
from lavlive.farm.material import Material, Recipe, group_bounds
from lavlive.farm.pools import OwnPool, Pool, RayPool
from lavlive.latent.instrument import Moment
from lavlive.latent.path import Latent
from lavlive.resources import is_no_file
from lavlive.show.shape import ShapeFollower
from lavlive.stage.canvas.isf.library import NONE, ShaderLibrary
from lavlive.stage.canvas.slots import open_shaders
from lavlive.stage.recording.recorder import unused_path
from lavlive.stage.recording.video import check_target


def run_farm(options: FarmOptions) -> Rendered:
    """Render a track by many; what the user should know on the way goes to stderr.

    Raises:
        LavliveError: something that was asked for is not there, cannot be written, or no worker can draw.
    """
    with open_shaders(text_of(options.shaders)) as shaders:
        return _render(options, shaders)


def _render(options: FarmOptions, shaders: ShaderLibrary) -> Rendered:
    looks = look_of(options)
    target = Path(options.film)
    if options.channels is not None:
        Pick.parse(options.channels)
    if is_no_file(target):
        raise UsageError(f"{target} cannot be written: it is not a file; choose another folder or name.")
    if not options.force:
        target = unused_path(target)
    check_target(target, options.codec)
    with contextlib.ExitStack() as stack:
        track = stack.enter_context(read_track(options.track))
        name = initial_model(options.preset, text_of(options.model))
        aspect = ShapeFollower(options.shape).begin(options.size)
        model, notes = load_model(name, options.runner, aspect=aspect, fill=options.fill)
        stack.callback(model.close)
        if looks.mix:
            model.mix_for_film(looks.mix)
        recipe = Recipe(
            model=name,
            model_hash=model.hash,
            software=__version__,
            # What is the fastest here need not be elsewhere; on this machine all draw alike.
            runner=options.runner if options.ray is not None else model.runner.name,
            aspect=aspect,
            fill=options.fill,
            size=options.size,
            rate=options.exact_rate,
            codec=options.codec,
            ending=target.suffix.lower(),
            values=dict(looks.values),
            shaders=text_of(options.shaders),
            sound_rate=track.rate,
            mix=looks.mix or None,
            mix_hash=model.mixture.hash if model.mixture is not None else "",
        )
        pool = open_pool(recipe, options)
        stack.callback(pool.close)
        path = open_path(options, model.runner.w_dim)
        for note in [*notes, *encoder_notes(path.encoder, live=False), *untrained_notice(model, path)]:
            tell(note)
        if options.as_published:
            latents = published_latents_of(track, path.encoder, looks.values, model.runner.w_dim)
        else:
            latents = latents_of(track, path, looks.values, options.channels, tell, moving(looks))
            find_dials(model, looks)
            use_keyframes(model, looks)
        seconds = min(track.seconds, options.seconds or track.seconds)
        heard = max(seconds, LEAST_HEARD_SECONDS)
        latents = itertools.takewhile(lambda timed: timed[0] < heard, latents)
        pictures = max(1, round(seconds * recipe.rate))
        scene = Scene(looks, stack.enter_context(read_track(options.track)))
        hears = any_hears(looks, shaders)
        material = materials(latents, model, scene, recipe.rate, pictures, hears)
        report = _make_film(options, recipe, pool, material, pictures, seconds, target)
    for note in report.notes:
        tell(note)
    tell(_summary(report, pool.workers))
    return Rendered(target, pictures, seconds)


def open_pool(recipe: Recipe, options: FarmOptions) -> Pool:
    """Who draws; with one worker and no address this process."""
    if options.ray is None and options.workers == 1:
        return OwnPool(recipe)
    return RayPool(recipe, options.workers, options.ray)


def any_hears(looks: Looks, shaders: ShaderLibrary) -> bool:
    """Whether an effect that is chosen hears the sound itself."""
    chosen = {str(value) for name, value in looks.values.items() if name.endswith(".shader")}
    documents = [shaders.document(name) for name in chosen if name != NONE]
    return any(document is not None and document.hears for document in documents)


def materials(
    latents: Iterator[tuple[float, Latent]],
    model: Model,
    scene: Scene,
    rate: Fraction,
    pictures: int,
    hears: bool,
) -> Iterator[Material]:
    """What each picture of a film is made of, as ``render`` makes it; the pass through the sound."""
    clip = Clip(latents)
    groups = model.space(0).groups
    row_of_group = [int(np.argmax(groups == group)) for group in range(3)]
    for index in range(pictures):
        now = float(index / rate)
        latent = clip.newest(float((index + Fraction(1, 2)) / rate))
        moment = Moment(now, scene.beat(now))
        layers = model.instrument.w_plus(latent.deviation, latent.numbers, model.space, moment)
        values, _ = scene.at(now, latent)
        yield Material(
            w=layers[row_of_group],
            numbers=latent.numbers.copy(),
            moved={name: float(value) for name, value in values.moved.items()},
            sound=scene.fresh if hears else None,
        )


def _make_film(
    options: FarmOptions,
    recipe: Recipe,
    pool: Pool,
    material: Iterator[Material],
    pictures: int,
    seconds: float,
    target: Path,
) -> FarmReport:
    unfinished = target.with_name(f"{target.stem}.unfinished{target.suffix}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lavlive-farm-")))
        sound = folder / f"sound{recipe.ending}"
        with read_track(options.track) as track:
            blocks = _sound_of(track, seconds)
            write_sound(sound, blocks, track.rate, track.mix.shape[1], recipe.codec)
        stack.callback(unfinished.unlink, missing_ok=True)
        film = stack.enter_context(Film(unfinished, recipe.rate, sound))
        bar = stack.enter_context(tqdm(total=pictures, unit="picture", desc=target.name, disable=None))
        bounds = group_bounds(pictures, recipe.rate, pool.workers)
        report = Head(pool, material, bounds, recipe.rate, film.append, bar.update).run()
        film.finish()
        os.replace(unfinished, target)
    return report


def _sound_of(track: Track, seconds: float) -> Iterator[np.ndarray]:
    """A track's sound, float32 [n, channels], in blocks of a second."""
    left = round(seconds * track.rate)
    while left > 0:
        samples = track.read(min(track.rate, left))
        if not len(samples):
            return
        left -= len(samples)
        yield np.nan_to_num(samples, posinf=0.0, neginf=0.0) @ track.mix


def _summary(report: FarmReport, workers: int) -> str:
    parts = [f"{report.groups} groups by {workers} worker{'s' if workers > 1 else ''}"]
    parts.append(f"{report.difference}/255 at the joins")
    if report.again:
        parts.append(f"{report.again} drawn again from further back")
    if report.died:
        parts.append(f"{report.died} workers died and were replaced")
    return "farm: " + ", ".join(parts)
