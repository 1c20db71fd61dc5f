"""What the training of an encoder can be asked for: one dataclass an action."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from lavlive.errors import UsageError
from lavlive.resources import shipped
from lavlive.training.encoder_train import DecoderRecipe, Recipe

ABOUT = """Make the bundled encoder, or one of your own: compose the data, train, evaluate, ship.

    python -m lavlive.training encoder --make-data MUSIC
    python -m lavlive.training encoder --data MUSIC/train --run RUN
    python -m lavlive.training encoder --ship RUN --tracks MUSIC/train -o FILE
    python -m lavlive.training encoder --evaluate RUN --encoder FILE --tracks MUSIC/heldout --tracks FOLDER

Of an encoder whose run is gone, such as the bundled one: fit a decoder to it as it stands, or measure it
as a driver alone.

    python -m lavlive.training encoder --data MUSIC/train --run DECODER --decoder-only --encoder FILE
    python -m lavlive.training encoder --evaluate DECODER --encoder FILE --tracks MUSIC/heldout
    python -m lavlive.training encoder --driving --encoder FILE --tracks MUSIC/heldout

Training goes on where the run's checkpoint stands; Ctrl+C stops it and loses nothing. Any folder of
sound files will do for --data and --tracks.
"""
"""What ``--help`` says."""


@dataclass(frozen=True)
class MakeData:
    """Compose and render music into a folder, so many pieces of each genre."""

    folder: Path
    pieces: int


@dataclass(frozen=True)
class TrainEncoder:
    """Train an encoder and its decoder on the sound files of `data`; None minutes: to the recipe's end."""

    data: Path
    run: Path
    recipe: Recipe
    device: str
    minutes: float | None = None


@dataclass(frozen=True)
class TrainDecoder:
    """Train a decoder for `encoder`, a file or ``bundled``, which is left as it is."""

    data: Path
    run: Path
    recipe: DecoderRecipe
    device: str
    minutes: float | None
    encoder: str


@dataclass(frozen=True)
class EvaluateEncoder:
    """Measure an encoder as a driver and, where there is a run, its codec.

    Attributes:
        run: folder of a run, None to measure the encoder alone.
        encoder: a file or ``bundled``.
        tracks: folders of music, besides the demo track.
        track_seconds: of each track.
        json: where every figure is written, if anywhere.
    """

    run: Path | None
    encoder: str
    tracks: tuple[Path, ...]
    track_seconds: float
    json: Path | None


@dataclass(frozen=True)
class ShipEncoder:
    """Write the encoder of a run for lavlive.

    Attributes:
        run: folder of the run.
        tracks: the training music, to weigh the latents by; none: they stay as they are.
        track_seconds: of each track.
        power: see `encoder_metric`.
        card: JSON file with more entries for the model's card.
        output: the file.
    """

    run: Path
    tracks: tuple[Path, ...]
    track_seconds: float
    power: float
    card: Path | None
    output: Path


@dataclass(frozen=True)
class Asked:
    """One call: the action, and the threads of the processor."""

    action: MakeData | TrainEncoder | TrainDecoder | EvaluateEncoder | ShipEncoder
    threads: int


def parse(argv: list[str]) -> Asked:
    """Read the command line.

    Raises:
        UsageError: a recipe that cannot be used, or an option without effect.
    """
    typed = _parser().parse_args(argv)
    tracks = tuple(typed.tracks)
    action: MakeData | TrainEncoder | TrainDecoder | EvaluateEncoder | ShipEncoder
    if typed.make_data:
        action = MakeData(typed.make_data, typed.pieces)
    elif typed.data and typed.decoder_only:
        recipe = _decoder_recipe(_chosen(vars(typed)))
        _check_lengths(recipe)
        action = TrainDecoder(typed.data, typed.run, recipe, typed.device, typed.minutes, typed.encoder)
    elif typed.data:
        whole = Recipe(**_chosen(vars(typed)))
        if whole.filters < 1 or whole.batch % 4:
            raise UsageError("--filters must be positive, --batch a multiple of 4")
        _check_lengths(whole)
        action = TrainEncoder(typed.data, typed.run, whole, typed.device, typed.minutes)
    elif typed.evaluate or typed.driving:
        action = EvaluateEncoder(typed.evaluate, typed.encoder, tracks, typed.track_seconds, typed.json)
    else:
        action = ShipEncoder(typed.ship, tracks, typed.track_seconds, typed.power, typed.card, typed.output)
    return Asked(action, typed.threads)


def _decoder_recipe(chosen: dict[str, Any]) -> DecoderRecipe:
    idle = sorted(chosen.keys() - {field.name for field in fields(DecoderRecipe)})
    if idle:
        raise UsageError(f"--{idle[0]} is for training an encoder: it has no effect with --decoder-only")
    return DecoderRecipe(**chosen)


def _check_lengths(recipe: DecoderRecipe) -> None:
    if min(recipe.steps, recipe.batch) < 1 or recipe.seconds < 0.25:
        raise UsageError("--steps and --batch must be positive, --seconds at least 0.25")


def _chosen(typed: dict[str, Any]) -> dict[str, Any]:
    values = {field.name: typed[field.name] for field in fields(Recipe)}
    return {name: value for name, value in values.items() if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lavlive.training encoder",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--make-data", type=Path, metavar="FOLDER", help="compose and render music into FOLDER"
    )
    action.add_argument("--data", type=Path, metavar="FOLDER", help="train on the sound files of FOLDER")
    action.add_argument("--evaluate", type=Path, metavar="RUN", help="measure a run's codec and its encoder")
    action.add_argument("--driving", action="store_true", help="measure --encoder as a driver alone")
    action.add_argument("--ship", type=Path, metavar="RUN", help="write the encoder of a run for lavlive")
    parser.add_argument("--pieces", type=int, default=7, help="pieces per genre to compose (default 7)")
    parser.add_argument("--run", type=Path, default=Path("runs/encoder"), help="folder of checkpoint and log")
    parser.add_argument(
        "--decoder-only",
        action="store_true",
        help="with --data: train a decoder for --encoder, left as it is",
    )
    for field in fields(Recipe):
        kind = type(field.default)
        parser.add_argument(f"--{field.name}", type=kind, help=f"recipe (default {_default(field.name)})")
    parser.add_argument("--minutes", type=float, help="stop training after so long, to go on another time")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=max(1, torch.get_num_threads() - 1))
    parser.add_argument(
        "--tracks",
        type=Path,
        action="append",
        default=[],
        help="folder to evaluate on; with --ship, the training music, to weigh the latents by",
    )
    parser.add_argument("--track-seconds", type=float, default=60.0, help="of each track (default 60)")
    parser.add_argument(
        "--encoder",
        default="bundled",
        help="file to measure, shipped from the run evaluated, or to fit a decoder to (default bundled)",
    )
    parser.add_argument(
        "--power", type=float, default=0.25, help="with --ship, see encoder_metric (default 0.25)"
    )
    parser.add_argument("--json", type=Path, help="write the figures of every track here")
    parser.add_argument("--card", type=Path, help="JSON file with more entries for the model card")
    parser.add_argument("-o", "--output", type=Path, default=shipped("data") / "encoder.safetensors")
    return parser


def _default(name: str) -> str:
    whole, decoder = getattr(Recipe, name), getattr(DecoderRecipe, name, None)
    return str(whole) if decoder in (None, whole) else f"{whole}; {decoder} with --decoder-only"
