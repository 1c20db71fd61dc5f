"""Opens what the engine and the renderer run: a latent path and a model, from files to ready."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from lavlive.encoder.calibration import calibrate
from lavlive.encoder.weights import load_encoder
from lavlive.engine.picture_worker import Model
from lavlive.errors import EncoderError, UsageError
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.importing import open_model
from lavlive.generator.runner import open_runner, time_pictures
from lavlive.generator.wstats import w_statistics, whitening
from lavlive.latent.path import LatentPath
from lavlive.latent.space import Familiar, Space, layer_groups
from lavlive.resources import is_no_file, shipped


def load_path(encoder: str, learned: str | None = None) -> LatentPath:
    """A latent path with its encoder, calibrated.

    Args:
        encoder: ``bundled``, ``encodec``, or a file.
        learned: a file with a learned projection, for `projection.kind` learned.

    Raises:
        EncoderError: the encoder or the learned projection cannot be read.
    """
    opened = load_encoder(encoder)
    return LatentPath(opened, calibrate(opened), _learned_projection(learned))


def load_model(path: str | None, runner: str = "auto") -> tuple[Model, list[str]]:
    """A model, ready to show pictures, and notes for the operator.

    Raises:
        CheckpointError: the file is missing, damaged or of another kind.
        RunnerError: the runner that was asked for cannot be had.
    """
    file = Path(path) if path else shipped("data") / "generator.safetensors"
    loaded = open_model(file)
    opened, notes = open_runner(loaded, runner)
    name = loaded.card.get("name") or file.stem
    trained = bool(loaded.card.get("trained", True))
    spaces = _spaces(loaded)
    # Measuring W of a new model takes seconds, in which the picture worker would seem dead.
    spaces(0)
    return Model(name, opened, spaces, trained, time_pictures(opened, 1)), notes


def load_familiar(path: str | None) -> Familiar:
    """What w a model knows, without a runner for its pictures.

    Raises:
        CheckpointError: the file is missing, damaged or of another kind.
    """
    familiar = _spaces(open_model(Path(path) if path else shipped("data") / "generator.safetensors"))(
        0
    ).familiar
    assert familiar is not None
    return familiar


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


def _spaces(loaded: LoadedGenerator) -> Callable[[int], Space]:
    groups = layer_groups(loaded.generator.layer_resolutions)

    # A number beyond the last class, set for another model, means the last: a swap must not fail for it.
    last = max(loaded.generator.config.class_count - 1, 0)

    @cache
    def of_class(class_index: int) -> Space:
        statistics = w_statistics(loaded.generator, loaded.hash, class_index=class_index)
        familiar = Familiar(whitening(statistics.covariance, statistics.std), statistics.own)
        return Space(statistics.mean, statistics.std, groups, familiar)

    return lambda class_index: of_class(min(class_index, last))


def _learned_projection(path: str | None) -> np.ndarray | None:
    if path is None:
        return None
    if is_no_file(Path(path)):
        raise EncoderError(f"{path} is not a file; make a learned projection with lavlive study.")
    try:
        matrix: np.ndarray = load_file(path)["projection"]
    except (OSError, SafetensorError, KeyError) as error:
        raise EncoderError(
            f"{path} holds no learned projection ({error}); make one with lavlive study."
        ) from error
    return matrix
