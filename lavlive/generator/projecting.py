"""Finds the point of W at which a model's picture is most like one from elsewhere.

    many random w ─► the mean of the ─► one w for all layers ─► a w per layer group (W+)
                     most alike         two thirds of the steps    the last third

w is moved in whitened coordinates u, w = W_mean + C u with C Cᵀ W's covariance, so that a step is as large
for every direction that the model knows; what is far from W's mean is held back (after Karras and others
2020, who project into W, and Abdal and others, "Image2StyleGAN", 2019, into W+). It begins at the mean of the
few that are most alike: what they have in common is what the picture needs. Here W+ has a w per layer group
and not per layer, because that is what keyframes and anchors hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lavlive.generator.likeness import Likeness
from lavlive.generator.network import Generator
from lavlive.generator.runners.planned import as_bytes
from lavlive.generator.wstats import WStatistics
from lavlive.parameters import group_of

STARTS = 96
"""Random w among which the first one is found."""
_MOST_ALIKE = 8
_ALIKE_SIDE = 64
_BATCH = 8
_RATE = 0.08
_SHARED = 2 / 3
_HOLD = 0.004
"""What being as far from W's mean as the model's own w costs, against distances of about 0.05."""
_TOGETHER = 0.05
_BETAS = (0.9, 0.99)
_SHRINKAGE = 0.02
_GROUPS = 3


@dataclass
class Search:
    """A search under way, or over; all that is needed to go on with it.

    Attributes:
        u: float32 [3, w_dim], where it stands, whitened.
        first, second: moments of Adam, of the same shape.
        step: how many steps were done.
        before: the distance of the picture at W's mean; `now`: of the newest step's.
        best: the least distance of the last third; `best_u`: where.
    """

    u: np.ndarray
    first: np.ndarray
    second: np.ndarray
    step: int = 0
    before: float = math.inf
    now: float = math.inf
    best: float = math.inf
    best_u: np.ndarray | None = None


class Projector:
    """Projects pictures into one model's W.

    Args:
        statistics: of its W.
        free: whether the layer groups part in the last third (W+); without, one w serves all (W).
    """

    def __init__(self, generator: Generator, statistics: WStatistics, free: bool = True) -> None:
        self._synthesis = generator.synthesis
        self._mapping = generator.mapping
        self._config = generator.config
        self._free = free
        covariance = statistics.covariance.astype(np.float64)
        spread = _SHRINKAGE * np.trace(covariance) / len(covariance)
        self._root = np.linalg.cholesky(covariance + spread * np.eye(len(covariance))).astype(np.float32)
        self._mean = statistics.mean
        groups = [group_of(resolution) for resolution in generator.layer_resolutions]
        self._groups = torch.tensor(groups)

    def w(self, u: np.ndarray) -> np.ndarray:
        """w float32 [3, w_dim] of whitened coordinates [3, w_dim]."""
        found: np.ndarray = (self._mean + u @ self._root.T).astype(np.float32)
        return found

    def picture(self, w: np.ndarray) -> np.ndarray:
        """uint8 [H, W, 3] of w [3, w_dim]."""
        with torch.inference_mode():
            made = self._synthesis(torch.from_numpy(w)[self._groups][None])
            pixels: np.ndarray = as_bytes(made)[0].numpy()
        return pixels

    def begin(self, target: np.ndarray, seed: int = 0) -> Search:
        """Look at the pictures of many random w; the search begins at the mean of those most alike.

        Args:
            target: uint8 [H, W, 3], of the model's own size.
        """
        wanted = _tensor(target)
        likeness = Likeness(wanted)
        small = Likeness(_small(wanted))
        random = torch.Generator().manual_seed(seed)
        tried: list[tuple[float, np.ndarray]] = []
        with torch.inference_mode():
            before = float(likeness(self._made(np.repeat(self._mean[None], _GROUPS, axis=0))))
            for _ in range(STARTS // _BATCH):
                z = torch.randn(_BATCH, self._config.z_dim, generator=random)
                classes = torch.randint(max(self._config.class_count, 1), (_BATCH,), generator=random)
                w = self._mapping(z, classes)
                distances = small(
                    _small(_shown(self._synthesis(w[:, None].expand(-1, len(self._groups), -1))))
                )
                tried += zip(distances.tolist(), w.numpy(), strict=True)
        tried.sort(key=lambda each: each[0])
        start = np.mean([w for _, w in tried[:_MOST_ALIKE]], axis=0)
        u = np.linalg.solve(self._root.astype(np.float64), (start - self._mean).astype(np.float64))
        three = np.repeat(u[None].astype(np.float32), _GROUPS, axis=0)
        return Search(three, np.zeros_like(three), np.zeros_like(three), before=before)

    def go_on(
        self, search: Search, target: np.ndarray, steps: int, after_step: Callable[[Search], object]
    ) -> np.ndarray:
        """Search until `steps` are done; w float32 [3, w_dim] of the least distance.

        Args:
            after_step: called after every one, with where it stands.
        """
        likeness = Likeness(_tensor(target))
        root, mean = torch.from_numpy(self._root), torch.from_numpy(self._mean)
        while search.step < steps:
            done = search.step / steps
            shared = not self._free or done < _SHARED
            u = torch.from_numpy(search.u).requires_grad_()
            moved = u.mean(0, keepdim=True).expand(_GROUPS, -1) if shared else u
            distance = likeness(_shown(self._synthesis((mean + moved @ root.T)[self._groups][None])))[0]
            far = moved.square().mean()
            apart = (moved - moved.mean(0)).square().mean()
            (distance + _HOLD * far + _TOGETHER * distance.detach() * apart).backward()
            search.now = float(distance.detach())
            if search.now < search.best:
                search.best, search.best_u = search.now, moved.detach().numpy().copy()
            assert u.grad is not None
            gradient = u.grad.numpy()
            if shared:
                gradient = np.repeat(gradient.sum(0, keepdims=True), _GROUPS, axis=0)
            self._step(search, gradient, _RATE * _slope(done))
            search.step += 1
            after_step(search)
        return self.w(search.u if search.best_u is None else search.best_u)

    def _step(self, search: Search, gradient: np.ndarray, rate: float) -> None:
        """One of Adam's (Kingma and Ba 2015)."""
        count = search.step + 1
        search.first = _BETAS[0] * search.first + (1 - _BETAS[0]) * gradient
        search.second = _BETAS[1] * search.second + (1 - _BETAS[1]) * gradient**2
        mean = search.first / (1 - _BETAS[0] ** count)
        spread = np.sqrt(search.second / (1 - _BETAS[1] ** count)) + 1e-8
        search.u = (search.u - rate * mean / spread).astype(np.float32)

    def _made(self, w: np.ndarray) -> Tensor:
        return _shown(self._synthesis(torch.from_numpy(w)[self._groups][None]))


def _slope(done: float) -> float:
    """The rate over a search: up within a twentieth, down along a cosine from the middle on."""
    return min(done / 0.05 + 0.05, 1.0) * min(0.5 - 0.5 * math.cos(math.pi * min((1 - done) / 0.5, 1.0)), 1.0)


def _tensor(pixels: np.ndarray) -> Tensor:
    """uint8 [H, W, 3] to float [1, 3, H, W], −1 to 1."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1.0


def _shown(made: Tensor) -> Tensor:
    """Pictures as they are seen, held within −1 to 1; the gradient goes on through what is held."""
    return made + (made.clamp(-1.0, 1.0) - made).detach()


def _small(pictures: Tensor) -> Tensor:
    factor = max(1, min(pictures.shape[-2:]) // _ALIKE_SIDE)
    return F.avg_pool2d(pictures, factor)
