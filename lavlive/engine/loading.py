"""Opens what the engine and the renderer run: a latent path and a model, from files to ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast, get_args

import numpy as np

from lavlive.encoder.base import Encoder
from lavlive.encoder.calibration import calibrate
from lavlive.encoder.weights import load_encoder
from lavlive.engine.mixture import mixer_of
from lavlive.engine.picture_worker import Model
from lavlive.engine.priority import at_low_priority
from lavlive.engine.spaces import Spaces
from lavlive.errors import CheckpointError, EncoderError, UsageError
from lavlive.generator.alias_free import AliasFreeConfig, AnyConfig
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.dial_files import FoundDials, find_beside
from lavlive.generator.grid import Fill, Grid, grid_for
from lavlive.generator.importing import open_model
from lavlive.generator.runner import open_runner, time_pictures
from lavlive.generator.runners.plans import grid_of
from lavlive.generator.small_pictures import open_small_pictures
from lavlive.generator.wstats import random_w
from lavlive.latent.instrument import Instrument
from lavlive.latent.path import LatentPath
from lavlive.latent.projection import W_DIM
from lavlive.latent.space import WDistribution, layer_groups
from lavlive.link.layout import MAX_PIXELS, MAX_RESOLUTION
from lavlive.link.messages import ANCHOR_SIDE
from lavlive.link.settings import EngineSettings
from lavlive.resources import generator_file, is_no_file
from lavlive.weightfiles.safetensorsfile import read_tensors
from lavlive.weightfiles.weights import Weights
from lavlive.weightfiles.window import Window

_SLOW_SECONDS = 0.1
_NARROWEST_W, _WIDEST_W = 64, 1024


def load_path(
    encoder: str, learned: str | None = None, w_dim: int = W_DIM, device: str = "auto"
) -> LatentPath:
    """A latent path with its encoder, calibrated.

    Args:
        encoder: ``bundled``, ``encodec``, or a file.
        learned: a file with a learned projection, for `projection.kind` learned.
        w_dim: width of the W that it serves.
        device: ``cpu`` keeps the encoder off a graphics card.

    Raises:
        EncoderError: the encoder or the learned projection cannot be read.
    """
    opened = load_encoder(encoder, device=device)
    return LatentPath(opened, calibrate(opened), _learned_projection(learned), w_dim=w_dim)


def _at_once(work: Callable[[], Any]) -> Any:
    return work()


def load_model(
    path: str | None,
    runner: str = "auto",
    device: str = "auto",
    aspect: float | None = None,
    fill: str = "auto",
    beside_a_show: bool = False,
    live: bool = False,
) -> tuple[Model, list[str]]:
    """A model, ready to show pictures, and notes for the operator.

    Args:
        path: a bundled generator's name or a file; None for the first bundled one.
        runner, device: of `open_runner`.
        aspect: shape of its pictures, width by height; None for its own.
        fill: how it comes to that shape: of `generator.grid`, or ``auto``, what its card says.
        beside_a_show: read it and measure its W at low priority. The runner is opened at the caller's, which
            its threads keep for as long as they make pictures.
        live: its pictures wait for nothing, see `Spaces`.

    Raises:
        CheckpointError: the file is missing, damaged or of another kind.
        RunnerError: the runner that was asked for cannot be had.
    """
    file = generator_file(path)
    calmly: Callable[[Callable[[], Any]], Any] = at_low_priority if beside_a_show else _at_once
    loaded: LoadedGenerator = calmly(lambda: open_model(file))
    _check_playable(file, loaded.generator.config)
    native = grid_of(loaded.generator)
    grid = grid_for(aspect, native)
    config = loaded.generator.config
    scale = config.resolution // (config.input_rate if isinstance(config, AliasFreeConfig) else 4)
    if grid.rows * grid.columns * scale**2 > MAX_PIXELS:
        raise CheckpointError(
            f"{file} would make pictures of {grid.rows * scale} x {grid.columns * scale} in this shape; "
            f"lavlive shows at most {MAX_PIXELS / 1e6:.1f} million pixels: choose another shape, or "
            "a smaller model."
        )
    filled = _fill(fill, loaded.card, grid, native)
    opened, notes = open_runner(loaded, runner, device, grid=grid, fill=filled)
    name = _name(loaded, file) if path == str(file) else str(loaded.card.get("name") or file.stem)
    trained = bool(loaded.card.get("trained", True))
    spaces = Spaces(loaded, live)
    # Measuring W of a new model takes seconds, in which the picture worker would seem dead.
    calmly(lambda: spaces(0))
    groups = layer_groups(loaded.generator.layer_resolutions)

    instrument = Instrument(lambda number, of_class: random_w(loaded.generator, number, of_class))
    seconds = time_pictures(opened, 1)
    is_slow = isinstance(config, AliasFreeConfig) and seconds > _SLOW_SECONDS

    def find_dials(stop: Callable[[], bool]) -> FoundDials | None:
        # The search needs a thousand pictures: of so slow a model only dials that were kept are taken.
        return find_beside(file, loaded, groups, stop, search=not is_slow)

    if isinstance(config, AliasFreeConfig):
        notes.append(
            f"{name} is a StyleGAN3, whose layers are slow: about {1 / seconds:.2g} pictures a second here. "
            "lavlive render draws every picture all the same; the noise knob has nothing to turn in it."
        )
    if is_slow:
        notes.append(f"It has dials once they were found beforehand: lavlive model directions {file} --keep.")
    return Model(
        name,
        opened,
        spaces,
        trained,
        seconds,
        find_dials,
        instrument,
        loaded.hash,
        loaded.generator.config.block_resolutions,
        mixer_of(loaded, opened, grid, filled),
        open_small=None if is_slow else lambda: open_small_pictures(loaded, ANCHOR_SIDE),
    ), notes


def _check_playable(file: Path, config: AnyConfig) -> None:
    """Refuse a model before anything large is made of it.

    Raises:
        CheckpointError: its W or its pictures are of a size that no part of a show is made for.
    """
    if not _NARROWEST_W <= config.w_dim <= _WIDEST_W:
        raise CheckpointError(
            f"{file} has a W of {config.w_dim} dimensions; lavlive plays {_NARROWEST_W} to {_WIDEST_W}."
        )
    if config.resolution > MAX_RESOLUTION:
        raise CheckpointError(
            f"{file} makes pictures of {config.resolution} x {config.resolution}; lavlive shows at most "
            f"{MAX_RESOLUTION} x {MAX_RESOLUTION}."
        )


def _fill(asked: str, card: Mapping[str, Any], grid: Grid, native: Grid) -> Fill:
    """How a constant comes to another size: as asked, else as the model's card has it.

    A card that wants nothing beside its subject has mirrors in a panorama, most of which would be empty.
    """
    named = card.get("fill") if asked == "auto" else asked
    is_panorama = grid.rows * grid.columns > 2 * native.rows * native.columns
    if asked == "auto" and named == "pad" and is_panorama:
        return "mirror"
    for fill in get_args(Fill):
        if named == fill:
            return cast(Fill, fill)
    return "stretch"


def load_first(
    settings: EngineSettings, passed_over: Callable[[str, str], None]
) -> tuple[str | None, Model, list[str]]:
    """The model of the settings, or the first of their bank that can be played: its path, itself, and notes.

    Args:
        passed_over: told the path of each that is refused, and why.

    Raises:
        CheckpointError: none can be played; for a bank the message says what is wrong with the first.
        RunnerError: as `load_model`.
    """
    candidates = dict.fromkeys((settings.model, *settings.bank))
    first: CheckpointError | None = None
    for candidate in candidates:
        try:
            model, notes = load_model(
                candidate, settings.runner, settings.device, settings.aspect, settings.fill, live=True
            )
            return candidate, model, notes
        except CheckpointError as error:
            if len(candidates) == 1:
                raise
            first = first or error
            passed_over(str(candidate), str(error))
    raise CheckpointError(f"None of the {len(candidates)} models can be played; of the first: {first}")


def encoder_notes(encoder: Encoder, live: bool = True) -> list[str]:
    """What the operator should know of an encoder: what its file left open and, live, how late it hears."""
    notes = [f"{encoder.name}: {note}" for note in encoder.info.notes]
    if live and encoder.lookahead:
        notes.append(
            f"{encoder.name} hears {encoder.lookahead * 1e3:.0f} ms ahead: pictures come so much later"
        )
    return notes


def load_distribution(path: str | None) -> WDistribution:
    """What w a model knows, without a runner for its pictures.

    Raises:
        CheckpointError: the file is missing, damaged or of another kind.
    """
    distribution = Spaces(open_model(generator_file(path)))(0).distribution
    assert distribution is not None
    return distribution


def open_log(path: str) -> BinaryIO:
    """The file of ``--log-w``.

    Raises:
        UsageError: it cannot be written.
    """
    if is_no_file(Path(path)):
        raise UsageError(f"--log-w cannot write {path}: it is not a file.")
    try:
        return open(path, "wb")
    except OSError as error:
        raise UsageError(f"--log-w cannot write {path}: {error.strerror or error}.") from error


def _name(loaded: LoadedGenerator, file: Path) -> str:
    """What a file's card calls it, told apart by the file's name from others that are called the same."""
    called = "".join(letter for letter in str(loaded.card.get("name") or file.stem) if letter.isprintable())
    return called if called == file.stem else f"{called[:80]} ({file.stem})"


def _learned_projection(path: str | None) -> np.ndarray | None:
    if path is None:
        return None
    if is_no_file(Path(path)):
        raise EncoderError(f"{path} is not a file; make a learned projection with lavlive study.")
    try:
        with open(path, "rb") as file:
            _, tensors = read_tensors(Window.whole(file))
            weights = Weights(tensors)
            weights.shape("projection", 2)
            matrix: np.ndarray = weights.take("projection")
    except OSError as error:
        raise EncoderError(f"{path} cannot be read: {error.strerror or error}.") from error
    except CheckpointError as error:
        raise EncoderError(
            f"{path} holds no learned projection ({error}); make one with lavlive study."
        ) from error
    return matrix
