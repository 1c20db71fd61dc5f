"""Statistics of a generator's W, the space that sound is mapped into."""

from __future__ import annotations

import logging
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lavlive.errors import CheckpointError
from lavlive.files import replacing
from lavlive.generator.alias_free import AnyGenerator
from lavlive.resources import cache_folder

SAMPLES = 10_000
SEED = 0
_BATCH = 1000
_log = logging.getLogger(__name__)

_SHRINKAGE = 0.1
_SHARES = 501

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WStatistics:
    """What the cloud of a generator's w looks like.

    Attributes:
        mean, std: per dimension, float32 [w_dim].
        covariance: float32 [w_dim, w_dim].
        own: distances of the generator's own w from the mean at evenly spaced shares from 0 to 1, float32
            [501]: Mahalanobis by `whitening`, divided by √w_dim.
    """

    mean: Vector
    std: Vector
    covariance: Vector
    own: Vector


def whitening(covariance: Vector, std: Vector) -> Vector:
    """Float32 [w_dim, w_dim]: a deviation in W_std times this, squared and summed, is its distance squared.

    The distance is Mahalanobis' under W's correlations, which are shrunk by a tenth towards none: what the
    mapping network hardly varies at all would else count without bound (Ledoit and Wolf 2004).
    """
    scale = np.where(std > 0, std, 1.0).astype(np.float64)
    correlation = covariance / np.multiply.outer(scale, scale)
    shrunk = (1.0 - _SHRINKAGE) * correlation + _SHRINKAGE * np.eye(len(std))
    return np.linalg.inv(np.linalg.cholesky(shrunk)).T.astype(np.float32)


def measure_w(
    generator: AnyGenerator, samples: int = SAMPLES, seed: int = SEED, class_index: int | None = None
) -> WStatistics:
    """Map ``samples`` normal z and measure the cloud of w.

    ``class_index``: of this class alone; without it, classes are drawn evenly.
    """
    config = generator.config
    random = torch.Generator().manual_seed(seed)
    parameter = next(generator.mapping.parameters())
    parts = []
    with torch.inference_mode():
        for start in range(0, samples, _BATCH):
            count = min(_BATCH, samples - start)
            z = torch.randn(count, config.z_dim, generator=random)
            classes = torch.randint(max(config.class_count, 1), (count,), generator=random)
            if class_index is not None:
                classes.fill_(class_index)
            w = generator.mapping(z.to(parameter), classes.to(parameter.device))
            parts.append(w.double().cpu().numpy())
    w_all = np.concatenate(parts)
    mean, std = w_all.mean(0), w_all.std(0).astype(np.float32)
    covariance = np.atleast_2d(np.cov(w_all, rowvar=False)).astype(np.float32)
    whitened = (w_all - mean) / np.where(std > 0, std, 1.0) @ whitening(covariance, std)
    distances = np.sqrt(np.mean(whitened**2, axis=1))
    own = np.quantile(distances, np.linspace(0.0, 1.0, _SHARES))
    return WStatistics(mean.astype(np.float32), std, covariance, own.astype(np.float32))


def random_w(generator: AnyGenerator, seed: int, class_index: int = 0) -> Vector:
    """w of one normal z under a seed, float32 [w_dim]; a class beyond the last means the last."""
    config = generator.config
    last = max(config.class_count - 1, 0)
    with torch.inference_mode():
        z = torch.randn(1, config.z_dim, generator=torch.Generator().manual_seed(seed))
        w: Vector = generator.mapping(z, torch.tensor([min(class_index, last)]))[0].float().numpy()
    return w


def w_statistics(
    generator: AnyGenerator, model_hash: str, folder: Path | None = None, class_index: int | None = None
) -> WStatistics:
    """``measure_w`` with 10 000 z and a fixed seed, cached under the hash of the model's file.

    ``class_index``: of this class alone, for a model that has classes; one without ignores it.
    A cache that cannot be read is measured again; one that cannot be written costs time, not the show.

    Raises CheckpointError for a class that the model does not have.
    """
    classes = generator.config.class_count
    class_index = class_index if classes else None
    if class_index is not None and not 0 <= class_index < classes:
        raise CheckpointError(f"the model has no class {class_index}; its classes are 0 to {classes - 1}")
    of_class = "" if class_index is None else f"-class{class_index}"
    name = f"w2-{model_hash[:32]}-{SAMPLES}-{SEED}{of_class}.npz"
    path = (cache_folder() if folder is None else folder) / name
    width = generator.config.w_dim
    try:
        with open(path, "rb") as kept, np.load(kept, allow_pickle=False) as stored:
            statistics = WStatistics(stored["mean"], stored["std"], stored["covariance"], stored["own"])
        if statistics.mean.shape == statistics.std.shape == (width,):
            return statistics
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError) as error:
        _log.warning("measuring W again, %s is unreadable: %s", path, error)
    statistics = measure_w(generator, SAMPLES, SEED, class_index)
    try:
        with replacing(path) as beside, beside.open("wb") as file:
            np.savez(file, **asdict(statistics))
    except OSError as error:
        _log.warning("cannot keep W's statistics in %s: %s", path, error)
    return statistics
