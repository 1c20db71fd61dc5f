"""What the training of a generator can be asked for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from lavlive.errors import TrainingError
from lavlive.training.generator_features import SOURCES
from lavlive.training.generator_recipe import Recipe

ABOUT = """Trains a generator on a folder or zip of pictures.

    python -m lavlive.training generator --data flames256.zip --out runs/flames --minutes 90

StyleGAN2's generator against a projected discriminator, grown 64² → 128² → 256². It may be stopped at any
time and goes on with ``--resume``. ``generator.safetensors`` in the output folder is for the show.
"""
"""What ``--help`` says."""


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions:
    """One training run.

    Attributes:
        data: folder or zip of pictures.
        out: folder for checkpoints and sheets.
        resolution: of the finished generator.
        first_resolution: to begin with, for speed.
        minutes: how long to train, earlier runs included; 90 where `pictures` does not say either.
        pictures: how many pictures to train on, earlier runs included.
        name: for the card; else the name of `out`.
        licence: of the finished model, for the card.
        resume: go on from the checkpoint in `out`.
        start: begin with what another training learned, of other pictures.
        blocks_from: let new blocks begin as those of another training.
        shares: of the whole per resolution, lowest first, with commas between.
        channel_base, channel_max, channel_min: see `GeneratorConfig`.
        w_dim: width of W.
        code: numbers in a code; at most `w_dim`.
        features: what the discriminator sees with.
        batch, rate, adversarial, warm_up, nats, moments, variety, spread, settle, drawn: see `Recipe`.
        noise: let the finest blocks use noise.
        seed: of everything random.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: of the convolutions: ``auto``, ``float32`` or ``bfloat16``.
        compile: twice as fast; needs a C++ compiler.
        sheet_minutes: between sheets and checkpoints.

    Raises:
        TrainingError: `spread` is not two numbers above 0 and at most 2, the smaller first.
    """

    data: Path
    out: Path
    resolution: int = 256
    first_resolution: int = 64
    minutes: float | None = None
    pictures: int | None = None
    name: str | None = None
    licence: str = "not stated"
    resume: bool = False
    start: Path | None = None
    blocks_from: Path | None = None
    shares: str = "0.4,0.3,0.3"
    channel_base: int = 2048
    channel_max: int = 256
    channel_min: int = 1
    w_dim: int = 512
    code: int = 64
    features: str = "nudenet"
    batch: int = Recipe.batch
    rate: float = Recipe.rate_generator
    adversarial: float = Recipe.adversarial
    warm_up: int = Recipe.warm_up
    nats: float = Recipe.nats
    moments: float = Recipe.moments
    variety: float = Recipe.variety
    spread: tuple[float, float] = Recipe.spread
    settle: bool = Recipe.settle
    drawn: float = Recipe.drawn
    noise: bool = False
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    sheet_minutes: float = 4.0

    def __post_init__(self) -> None:
        low, high = self.spread
        if not 0 < low <= high <= 2:
            raise TrainingError(
                f"--spread {low} {high}: two numbers above 0 and at most 2, the smaller first"
            )


def parse(argv: list[str]) -> GeneratorOptions:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m lavlive.training generator",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,  # defaults stand in the dataclass alone
    )
    parser.add_argument("--data", type=Path, required=True, help="folder or zip of pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and sheets")
    parser.add_argument("--resolution", type=int, help="of the finished generator")
    parser.add_argument("--first-resolution", type=int, help="to begin with, for speed")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="how long to train, earlier runs included")
    length.add_argument("--pictures", type=int, help="how many pictures to train on, earlier runs included")
    parser.add_argument("--name", help="for the card; otherwise the name of --out")
    parser.add_argument("--licence", help="of the finished model, for the card")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="TRAINING.PT",
        help="begin with what another training learned, of other pictures, at the same first resolution",
    )
    parser.add_argument(
        "--blocks-from",
        type=Path,
        metavar="TRAINING.PT",
        help="let new blocks begin as those of another training, which has grown further",
    )
    parser.add_argument("--shares", help="shares of the whole per resolution, lowest first")
    parser.add_argument("--channel-base", type=int)
    parser.add_argument("--channel-max", type=int)
    parser.add_argument("--channel-min", type=int, help="width of the finest blocks at least")
    parser.add_argument("--w-dim", type=int)
    parser.add_argument("--code", type=int, help="numbers in a code; at most --w-dim")
    parser.add_argument("--features", choices=sorted(SOURCES))
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rate", type=float, help="Adam's learning rate")
    parser.add_argument("--adversarial", type=float, help="the discriminator's weight")
    parser.add_argument("--warm-up", type=int, help="pictures until it counts fully")
    parser.add_argument("--nats", type=float, help="what a code may cost: more copy better, mix worse")
    parser.add_argument("--moments", type=float, help="weight of moment matching")
    parser.add_argument(
        "--variety",
        type=float,
        help="weight of details not to be shared",
    )
    parser.add_argument(
        "--spread",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="how far from the mean are codes that no picture has, in deviations",
    )
    parser.add_argument(
        "--settle",
        action=argparse.BooleanOptionalAction,
        help="train only new blocks once the generator grows",
    )
    parser.add_argument(
        "--noise",
        action=argparse.BooleanOptionalAction,
        help="let the finest blocks use noise, which in the show is a grain that stands still",
    )
    parser.add_argument("--drawn", type=float, help="codes that no picture has, per picture")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", help="auto, cpu, cuda")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), help="of the convolutions")
    parser.add_argument(
        "--compile", action="store_true", help="twice as fast; needs a C++ compiler and a minute to begin"
    )
    parser.add_argument("--sheet-minutes", type=float, help="between sheets and checkpoints")
    typed = vars(parser.parse_args(argv))
    if "spread" in typed:
        typed["spread"] = tuple(typed["spread"])
    return GeneratorOptions(**typed)
