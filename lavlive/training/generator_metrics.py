"""How good a generator is: Fréchet distance and diversity over fixed features, with two anchors.

    python -m lavlive.training evaluate --data flames256.zip --model runs/flames/generator.safetensors

The features are not those that training used. The floor is the distance of held-out real pictures to the
training pictures, the ceiling that of the untrained network. Real pictures are brightened as in training.
Distances of other feature networks, such as Inception's FID, are on another scale and not to be compared
with these.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import linalg
from torch import Tensor
from tqdm import tqdm

from lavlive.errors import TrainingError
from lavlive.generator.checkpoint import load_generator, save_generator, stylegan2_of
from lavlive.generator.network import Generator
from lavlive.generator.wstats import measure_w
from lavlive.training.generator_data import levelled, load_pictures, to_tensor
from lavlive.training.generator_features import SOURCES, FeatureNetwork, feature_network
from lavlive.training.generator_growth import layer_groups
from lavlive.training.generator_sheets import music_pictures, random_w, render, walk_w, write_sheet
from lavlive.training.generator_variety import shared_details

Features = npt.NDArray[np.float64]
_BATCH = 16
_SHARED = 128


@dataclass(frozen=True)
class Figures:
    """Fréchet distances (lower is better; between floor and ceiling) and diversity relative to the data.

    ``of_z`` is measured on pictures of random z, ``of_sound`` on w+ drawn as sound draws them: normal
    deviations from W's mean, apart for coarse, middle and fine layers. ``shared`` is `shared_details`: how
    much the details of different pictures correlate, 0 to 1.
    """

    distance_of_z: float
    distance_of_sound: float
    floor: float
    ceiling: float
    diversity_of_z: float
    diversity_of_sound: float
    diversity_untrained: float
    shared_of_sound: float
    shared_real: float
    samples: int
    features: str


@torch.inference_mode()
def describe(network: FeatureNetwork, pictures: Iterator[Tensor]) -> list[Features]:
    """Mean over space of every channel, float64 [N, C] per tap."""
    parts = [[tap.mean((2, 3)).double().numpy() for tap in network(batch)] for batch in pictures]
    return [np.concatenate(taps) for taps in zip(*parts, strict=True)]


def join(taps: list[Features], reference: list[Features]) -> Features:
    """All taps side by side [N, D], each scaled to a total variance of one in the reference."""
    return np.concatenate([x / np.sqrt(r.var(0).sum()) for x, r in zip(taps, reference, strict=True)], axis=1)


def frechet_distance(a: Features, b: Features) -> float:
    """Between the normal distributions with the means and covariances of two sets (Dowson 1982).

    Raises TrainingError for fewer than two samples.
    """
    if min(len(a), len(b)) < 2:
        raise TrainingError("a Fréchet distance needs at least two pictures on each side")
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The eigenvalues of a product of two positive matrices are real and not negative but for rounding.
    eigenvalues = linalg.eigvals(covariance_a @ covariance_b)
    root_trace = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    shift = np.square(a.mean(0) - b.mean(0)).sum()
    return float(max(shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * root_trace, 0.0))


def diversity(features: Features) -> float:
    """Mean distance between two different samples."""
    distances = [np.linalg.norm(features[i + 1 :] - row, axis=1) for i, row in enumerate(features[:-1])]
    return float(np.concatenate(distances).mean())


@torch.inference_mode()
def sound_w(generator: Generator, count: int, seed: int) -> Tensor:
    """w+ [count, L, w_dim]: W_mean + W_std ⊙ N(0, I), drawn for each layer group."""
    statistics = measure_w(generator)
    random = torch.Generator().manual_seed(seed)
    deviation = torch.randn(count, 3, generator.config.w_dim, generator=random)
    w = torch.from_numpy(statistics.mean) + torch.from_numpy(statistics.std) * deviation
    return w[:, layer_groups(generator.config)]


def _made(generator: Generator, w_plus: Tensor) -> Iterator[Tensor]:
    for part in tqdm(w_plus.split(_BATCH), desc="pictures", leave=False):
        # Through eight bits, as they are shown.
        yield to_tensor(render(generator, part, _BATCH))


def _real(pictures: npt.NDArray[np.uint8]) -> Iterator[Tensor]:
    for start in range(0, len(pictures), _BATCH):
        yield levelled(pictures[start : start + _BATCH])


def measure(
    generator: Generator, train: npt.NDArray[np.uint8], held_out: npt.NDArray[np.uint8], features: str
) -> Figures:
    """All figures on as many made pictures as are held out. Raises TrainingError when fewer than two are."""
    count = len(held_out)
    if count < 2:
        raise TrainingError("fewer than two pictures are held out; a larger set is needed to evaluate")
    network = feature_network(features)
    chosen = np.random.default_rng(0).choice(len(train), min(len(train), 2 * count), replace=False)
    real = describe(network, _real(train[np.sort(chosen)]))
    reference = join(real, real)

    def described(pictures: Iterator[Tensor]) -> Features:
        return join(describe(network, pictures), real)

    held = described(_real(held_out))
    torch.manual_seed(0)
    untrained = described(_made(*_untrained(generator, count)))
    of_z = described(_made(generator, random_w(generator, count, 1)))
    of_sounds = _made(generator, sound_w(generator, count, 1))
    kept = list(islice(of_sounds, _SHARED // _BATCH))
    of_sound = described(chain(kept, of_sounds))
    return Figures(
        distance_of_z=round(frechet_distance(of_z, reference), 4),
        distance_of_sound=round(frechet_distance(of_sound, reference), 4),
        floor=round(frechet_distance(held, reference), 4),
        ceiling=round(frechet_distance(untrained, reference), 4),
        diversity_of_z=round(diversity(of_z) / diversity(held), 3),
        diversity_of_sound=round(diversity(of_sound) / diversity(held), 3),
        diversity_untrained=round(diversity(untrained) / diversity(held), 3),
        shared_of_sound=round(mean_shared(iter(kept)), 3),
        shared_real=round(mean_shared(_real(held_out[:_SHARED])), 3),
        samples=count,
        features=features,
    )


@torch.inference_mode()
def mean_shared(pictures: Iterator[Tensor]) -> float:
    """`shared_details`, averaged over batches."""
    return float(np.mean([float(shared_details(batch)) for batch in pictures if len(batch) > 1]))


def _untrained(generator: Generator, count: int) -> tuple[Generator, Tensor]:
    fresh = Generator(generator.config).freeze()
    return fresh, random_w(fresh, count, 1)


def main(argv: list[str]) -> int:
    """The subcommand ``evaluate``."""
    parser = argparse.ArgumentParser(prog="python -m lavlive.training evaluate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="the folder or zip of training")
    parser.add_argument("--model", type=Path, required=True, help="generator.safetensors")
    parser.add_argument("--work", type=Path, default=Path("runs/evaluate"), help="for decoded pictures")
    parser.add_argument("--features", choices=sorted(SOURCES), default="rapidocr")
    parser.add_argument("--samples", type=int, default=500, help="at most so many pictures of each kind")
    parser.add_argument(
        "--sheets", type=Path, help="also write two sheets here, NAME-random.jpg and NAME-walk.jpg"
    )
    parser.add_argument(
        "--track", type=Path, help="with --sheets: also NAME-music.jpg, of a minute of this track in 16:9"
    )
    parser.add_argument("--keep", action="store_true", help="write the figures into the model's card")
    options = parser.parse_args(argv)
    loaded = load_generator(options.model)
    generator = stylegan2_of(loaded)
    pictures = load_pictures(options.data, generator.config.resolution, options.work / "decoded")
    figures = asdict(
        measure(generator, pictures.train, pictures.held_out[: options.samples], options.features)
    )
    print(json.dumps(figures, indent=2))
    if options.sheets:
        name = options.model.stem
        write_sheets(generator, options.sheets, name)
        if options.track:
            of_music = music_pictures(options.track, options.model)
            write_sheet(of_music, options.sheets / f"{name}-music.jpg", side=108)
    if options.keep:
        card: dict[str, Any] = {**loaded.card, "figures": figures}
        save_generator(options.model, generator, card)
    return 0


def write_sheets(generator: Generator, folder: Path, name: str) -> None:
    """The two 8 × 8 sheets of a generator: random z, and a walk through W as sound drives it."""
    write_sheet(render(generator, random_w(generator, 64, 0)), folder / f"{name}-random.jpg", side=128)
    write_sheet(render(generator, walk_w(generator, 64, 0)), folder / f"{name}-walk.jpg", side=128)
