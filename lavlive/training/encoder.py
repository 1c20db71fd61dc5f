"""Make the bundled encoder, or one of your own: compose the data, train, evaluate, ship.

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

from __future__ import annotations

import argparse
import json
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lavlive.encoder.base import EncoderInfo
from lavlive.encoder.calibration import calibration_clip, measure
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.encoder.weights import read_seanet_encoder, save_encoder
from lavlive.errors import TrainingError, UsageError
from lavlive.resources import shipped
from lavlive.training.encoder_codec import Codec, hyperparameters, latents_of, shipping_encoder
from lavlive.training.encoder_data import SAMPLE_RATE, make_data, read_folder
from lavlive.training.encoder_decoder import DecoderRun, FrozenCodec, frozen_codec_of
from lavlive.training.encoder_metric import fit_metric
from lavlive.training.encoder_train import (
    DECODER,
    DecoderRecipe,
    Recipe,
    Run,
    Training,
    codec_of,
    read_run,
    train,
)


def main(argv: list[str]) -> int:
    """Run one of the actions; the exit status."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    if options.make_data:
        make_data(options.make_data, options.pieces)
    elif options.data and options.decoder_only:
        _train_decoder(options)
    elif options.data:
        _train(options)
    elif options.evaluate or options.driving:
        _evaluate(options)
    else:
        _ship(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lavlive.training encoder",
        description=__doc__,
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


def _train(options: argparse.Namespace) -> None:
    recipe = Recipe(**_chosen(options))
    if recipe.filters < 1 or recipe.batch % 4:
        raise UsageError("--filters must be positive, --batch a multiple of 4")
    _check_lengths(recipe)
    _continue(Run(options.run, read_folder(options.data), recipe, options.device), options)


def _train_decoder(options: argparse.Namespace) -> None:
    chosen = _chosen(options)
    idle = sorted(chosen.keys() - {field.name for field in fields(DecoderRecipe)})
    if idle:
        raise UsageError(f"--{idle[0]} is for training an encoder: it has no effect with --decoder-only")
    recipe = DecoderRecipe(**chosen)
    _check_lengths(recipe)
    encoder = StreamingEncoder(*read_seanet_encoder(options.encoder))
    _continue(DecoderRun(options.run, read_folder(options.data), recipe, encoder, options.device), options)


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    values = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    return {name: value for name, value in values.items() if value is not None}


def _check_lengths(recipe: DecoderRecipe) -> None:
    if min(recipe.steps, recipe.batch) < 1 or recipe.seconds < 0.25:
        raise UsageError("--steps and --batch must be positive, --seconds at least 0.25")


def _continue(run: Training, options: argparse.Namespace) -> None:
    began = time.perf_counter()
    limit = float("inf") if options.minutes is None else 60.0 * options.minutes
    try:
        train(run, until=lambda: time.perf_counter() - began > limit)
    except KeyboardInterrupt:
        run.save()
    print(
        f"{run.folder}: step {run.step} of {run.recipe.steps}, {run.trained_seconds / 3600:.2f} h of training"
    )


def _evaluate(options: argparse.Namespace) -> None:
    from lavlive.training.encoder_evaluate import demo_as_track, evaluate, report

    network, info = read_seanet_encoder(options.encoder)
    codec = _codec(options.evaluate, network, info) if options.evaluate else None
    everything = {}
    for title, tracks in [("demo", [demo_as_track()])] + [
        (folder.resolve().name, read_folder(folder, options.track_seconds)) for folder in options.tracks
    ]:
        everything[title] = evaluate(network, tracks, codec)
        print(report(everything[title], title) + "\n", flush=True)
    if options.json:
        try:
            options.json.write_text(json.dumps(everything, indent=1))
        except OSError as error:
            raise TrainingError(f"cannot write {options.json}: {error}") from error


def _codec(folder: Path, network: nn.Module, info: EncoderInfo) -> Codec | FrozenCodec:
    """The codec of a run of either kind; says on the way what it is."""
    content = read_run(folder)
    print(f"{folder}: {content['kind']}, step {content['step']}, {content['trained_seconds'] / 3600:.2f} h")
    if content["kind"] != DECODER:
        print()
        return codec_of(folder)[0]
    codec = frozen_codec_of(folder, StreamingEncoder(network, info))
    print(
        f"The decoder and the quantiser were fitted afterwards to the encoder {info.name} "
        f"(SHA-256 {info.hash[:12]}…), which learned nothing from them.\n"
    )
    return codec


def _ship(options: argparse.Namespace) -> None:
    codec, content = codec_of(options.ship)
    card: dict[str, Any] = {
        "name": "lavlive encoder",
        "trained": True,
        "licence": "MIT",
        "sample_rate": SAMPLE_RATE,
        "architecture": "encodec SEANetEncoder, causal, hop 320, 128 dimensions",
        "data": "music composed and rendered by lavlive.training (FluidR3 soundfont, MIT); nothing of others",
        "recipe": content["recipe"],
        "steps": content["step"],
        "hours": round(content["trained_seconds"] / 3600, 2),
    }
    if options.card:
        try:
            card |= json.loads(options.card.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"{options.card} is no JSON table: {error}") from error
    change = None
    if options.tracks:
        music = [track for folder in options.tracks for track in read_folder(folder, options.track_seconds)]
        change = fit_metric(latents_of(codec), music, options.power)
        card["metric_power"] = options.power
    encoder = shipping_encoder(codec, change).eval()
    streaming = StreamingEncoder(encoder, EncoderInfo("bundled", trained=True))
    calibration = measure(streaming, calibration_clip(SAMPLE_RATE))
    arguments = hyperparameters(content["recipe"]["filters"])
    save_encoder(options.output, encoder, arguments, card, calibration)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB, step {content['step']}")
