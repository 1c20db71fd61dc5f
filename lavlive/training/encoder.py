"""Makes the bundled encoder, or one of your own; `encoder_options` says how it is asked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lavlive.encoder.base import EncoderInfo
from lavlive.encoder.calibration import calibration_clip, measure
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.encoder.weights import read_seanet_encoder, save_encoder
from lavlive.errors import TrainingError, UsageError
from lavlive.training.encoder_codec import Codec, hyperparameters, latents_of, shipping_encoder
from lavlive.training.encoder_data import SAMPLE_RATE, make_data, read_folder
from lavlive.training.encoder_decoder import DecoderRun, FrozenCodec, frozen_codec_of
from lavlive.training.encoder_metric import fit_metric
from lavlive.training.encoder_options import (
    EvaluateEncoder,
    MakeData,
    ShipEncoder,
    TrainDecoder,
    TrainEncoder,
    parse,
)
from lavlive.training.encoder_train import (
    DECODER,
    Run,
    Training,
    codec_of,
    read_run,
    train,
)


def main(argv: list[str]) -> int:
    """Run one of the actions; the exit status."""
    asked = parse(argv)
    torch.set_num_threads(asked.threads)
    match asked.action:
        case MakeData(folder, pieces):
            make_data(folder, pieces)
        case TrainEncoder() as options:
            run = Run(options.run, read_folder(options.data), options.recipe, options.device)
            _continue(run, options.minutes)
        case TrainDecoder() as options:
            encoder = StreamingEncoder(*read_seanet_encoder(options.encoder))
            data = read_folder(options.data)
            _continue(DecoderRun(options.run, data, options.recipe, encoder, options.device), options.minutes)
        case EvaluateEncoder() as options:
            _evaluate(options)
        case ShipEncoder() as options:
            _ship(options)
    return 0


def _continue(run: Training, minutes: float | None) -> None:
    began = time.perf_counter()
    limit = float("inf") if minutes is None else 60.0 * minutes
    try:
        train(run, until=lambda: time.perf_counter() - began > limit)
    except KeyboardInterrupt:
        run.save()
    print(
        f"{run.folder}: step {run.step} of {run.recipe.steps}, {run.trained_seconds / 3600:.2f} h of training"
    )


def _evaluate(options: EvaluateEncoder) -> None:
    from lavlive.training.encoder_evaluate import demo_as_track, evaluate, report

    network, info = read_seanet_encoder(options.encoder)
    codec = _codec(options.run, network, info) if options.run else None
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


def _ship(options: ShipEncoder) -> None:
    codec, content = codec_of(options.run)
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
