"""What steps in W do to pictures, many steps at once: the change of L* that dials are measured by.

A step in the w of one layer group leaves the features below that group as they were, so these are made once
per picture. Of a large network only a part of each picture is made, somewhere else in every one: layers are
the same everywhere in a picture, so from 64² on a window of the features is enough. What lies at its edges
and lacks its neighbours is cut off before the next resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lavlive.generator.runner import plain_runner
from lavlive.generator.runners.base import picture
from lavlive.generator.runners.plan import EPSILON, LEAK, Affine, BlockPlan, ConvPlan, PicturePlan, Plan
from lavlive.generator.runners.planned import as_bytes
from lavlive.generator.runners.plans import AnyPlan
from lavlive.light import OF_BYTES, lightness, lightness_on_grid

_MOST_WORK = 4e9
"""Products in a picture; of larger networks windows are measured."""
_BATCH_WORK = 8e9
_BATCH_FEATURES = 2**23
_CUT_FROM = 64
_WIDE, _NARROW = 18, 12
"""Rows and columns of the features that come into the block of 64²: for wide changes, and for fine ones."""
_EDGE = 4
"""Rows and columns at the edges of a window's output that are as if there were nothing beyond."""
_SEED = 64
_FINE = 2


class Stopped(Exception):
    """Nobody wants the dials any more."""


@dataclass
class _Window:
    """A part of a picture in the making: features and the picture so far, from ``top`` and ``left`` on."""

    x: Tensor | None = None
    picture: Tensor | None = None
    top: int = 0
    left: int = 0

    def cut(self, size: int, point: np.ndarray, whole: tuple[int, int]) -> _Window:
        """At most ``size`` rows and columns about a point [2], 0 to 1, of ``whole`` ones."""
        assert self.x is not None
        spans, corner = [], []
        for side, begin, at, length in zip(
            self.x.shape[2:], (self.top, self.left), point, whole, strict=True
        ):
            kept = min(size, side)
            first = min(max(round(at * length - size / 2) - begin, 0), side - kept)
            spans.append(slice(first, first + kept))
            corner.append(begin + first)
        here = (slice(None), slice(None), *spans)
        picture = None if self.picture is None else self.picture[here]
        return _Window(self.x[here], picture, *corner)

    def inner(self, whole: tuple[int, int]) -> tuple[slice, slice]:
        """What of it is as in a whole picture, of ``whole`` rows and columns."""
        assert self.x is not None
        rows, columns = (
            slice(0 if begin == 0 else _EDGE, side if begin + side >= length else side - _EDGE)
            for side, begin, length in zip(self.x.shape[2:], (self.top, self.left), whole, strict=True)
        )
        return rows, columns


class DialPictures:
    """Measures what steps do to pictures of sampled w. One thread owns it.

    Args:
        sampled: float32 [pictures, w_dim].
        groups: int [L], layer group of each layer.
        stop: asked before every few pictures; once it is True, `Stopped` is raised.
    """

    def __init__(
        self, plan: Plan, sampled: np.ndarray, groups: np.ndarray, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._plan = plan
        self._sampled = sampled
        self._groups = groups
        self._stop = stop
        self._taps = torch.from_numpy(plan.taps)
        outer = torch.from_numpy(plan.outer_taps)
        self._outer = torch.outer(outer, outer)[None, None]
        self.is_large = work_of(plan) > _MOST_WORK
        self._index = -1
        self._before: dict[int, _Window] = {}

    def work(self, group: int) -> float:
        """Products for one step in a picture, about."""
        total = 0.0
        rows = _NARROW if group == _FINE else _WIDE
        for block in self._plan.blocks[self._first_of(group) :]:
            share = 1.0
            if self.is_large and block.resolution >= _CUT_FROM:
                share = min((2 * rows) ** 2 / (block.height * block.width), 1.0)
                rows = 2 * rows - 2 * _EDGE
            total += share * block_work(block)
        return total

    @torch.inference_mode()
    def changes(self, index: int, group: int, steps: np.ndarray) -> np.ndarray:
        """Mean change of L* [N] of a picture by steps [N, w_dim] in the w of a layer group.

        Raises:
            Stopped: see ``stop``.
        """
        if index != self._index:
            self._index, self._before = index, {0: _Window()}
        first = self._first_of(group)
        before = self._features_before(first)
        blocks = self._plan.blocks[first:]
        most = max(block.conv1.weight.shape[0] * block.height * block.width for block in blocks)
        batch = int(_BATCH_WORK / work_of(self._plan))
        if self.is_large:
            batch, most = int(_BATCH_WORK / _MOST_WORK), 1
        batch = max(1, min(batch, _BATCH_FEATURES // most))
        plain = self._lightness(group, before, np.zeros_like(steps[:1]))
        changes = []
        for start in range(0, len(steps), batch):
            moved = self._lightness(group, before, steps[start : start + batch])
            changes.append(np.abs(moved - plain).mean((1, 2)))
        return np.concatenate(changes)

    def _lightness(self, group: int, before: _Window, steps: np.ndarray) -> np.ndarray:
        """L* [N, h, w] of pictures after steps, or of parts of them."""
        if self._stop():
            raise Stopped
        w_plus = np.repeat(self._sampled[self._index][None, None], len(self._groups), axis=1)
        w_plus = np.repeat(w_plus, len(steps), axis=0)
        w_plus[:, self._groups == group] += steps[:, None]
        moved = torch.from_numpy(w_plus)
        window = before
        rows = _NARROW if group == _FINE else _WIDE
        point = self._somewhere(rows)
        for block in self._plan.blocks[self._first_of(group) :]:
            if self.is_large and block.resolution >= _CUT_FROM:
                window = window.cut(rows, point, (block.height // 2, block.width // 2))
                rows = 2 * rows - 2 * _EDGE
            window = self._through(block, moved, window)
        if self.is_large:
            return _lightness_of(window, (self._plan.height, self._plan.width))
        return np.stack([lightness_on_grid(each) for each in _pixels(window)])

    def _somewhere(self, rows: int) -> np.ndarray:
        """Where in the present picture windows lie, [2]; its edges are seen as often as its middle."""
        for block in self._plan.blocks:
            if block.resolution >= _CUT_FROM:
                rows = 2 * rows - 2 * _EDGE
        beyond = (rows + 2 * _EDGE) / 2 / np.array([self._plan.height, self._plan.width])
        uniform = np.random.default_rng([_SEED, self._index]).random(2)
        point: np.ndarray = uniform * (1.0 + 2.0 * beyond) - beyond
        return point

    def _first_of(self, group: int) -> int:
        """The first block that has a layer of this group."""
        for index, block in enumerate(self._plan.blocks):
            layers = (block.conv0, block.conv1, block.picture)
            if any(self._groups[layer.affine.row] == group for layer in layers if layer is not None):
                return index
        raise ValueError(f"no layer is in group {group}")

    def _features_before(self, block: int) -> _Window:
        """What comes into a block without any step."""
        if block not in self._before:
            nearest = max(index for index in self._before if index < block)
            w_plus = np.repeat(self._sampled[self._index][None, None], len(self._groups), axis=1)
            window = self._before[nearest]
            for each in self._plan.blocks[nearest:block]:
                window = self._through(each, torch.from_numpy(w_plus), window)
            self._before[block] = window
        return self._before[block]

    def _through(self, block: BlockPlan, w_plus: Tensor, window: _Window) -> _Window:
        top, left = (0, 0) if block.constant is not None else (2 * window.top, 2 * window.left)
        x = self._features(block, w_plus, window.x, top, left)
        picture = None if window.picture is None else self._doubled(window.picture)
        if block.picture is not None:
            part = _coloured(block.picture, x, w_plus)
            picture = part if picture is None else picture + part
        return _Window(x, picture, top, left)

    def _features(self, block: BlockPlan, w_plus: Tensor, x: Tensor | None, top: int, left: int) -> Tensor:
        past: Tensor | None = None
        if block.constant is not None:
            x = torch.from_numpy(block.constant)[None]
        else:
            assert x is not None
            assert block.conv0 is not None
            if block.shortcut is not None:
                past = self._doubled(F.conv2d(x, torch.from_numpy(block.shortcut)[:, :, None, None]))
            x = self._convolved(block.conv0, w_plus, x, top, left)
        y = self._convolved(block.conv1, w_plus, x, top, left)
        return y if past is None else past + y

    def _convolved(self, conv: ConvPlan, w_plus: Tensor, x: Tensor, top: int, left: int) -> Tensor:
        styles = _styles(conv.affine, w_plus)
        demodulation = (styles.square() @ torch.from_numpy(conv.square).T + EPSILON).rsqrt() * conv.gain
        weight = torch.from_numpy(conv.weight)
        x = (x * styles[:, :, None, None]).contiguous(memory_format=torch.channels_last)
        if conv.up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            taps = self._taps.flip(0).expand(x.shape[1], 1, 4)
            x = F.conv2d(x, taps[:, :, None, :], padding=(0, 1), groups=x.shape[1])
            x = F.conv2d(x, taps[:, :, :, None], padding=(1, 0), groups=x.shape[1])
        else:
            x = F.conv2d(x, weight, padding=1)
        noise = conv.noise[top : top + x.shape[2], left : left + x.shape[3]]
        x = x.mul_(demodulation[:, :, None, None]).add_(torch.from_numpy(noise))
        x = F.leaky_relu_(x.add_(torch.from_numpy(conv.bias)[:, None, None]), LEAK)
        return x if conv.clamp is None else x.clamp_(-conv.clamp, conv.clamp)

    def _doubled(self, x: Tensor) -> Tensor:
        kernel = self._outer.expand(x.shape[1], 1, 4, 4)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])

    def close(self) -> None:
        """Let go of the features."""
        self._before = {}


class RunnerPictures:
    """The same of any network, picture by picture of a runner of its own."""

    is_large = False

    def __init__(
        self,
        plan: AnyPlan,
        sampled: np.ndarray,
        groups: np.ndarray,
        threads: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._runner = plain_runner(plan, threads)
        self._sampled = sampled
        self._groups = groups
        self._stop = stop
        self._plain: dict[int, np.ndarray] = {}

    def work(self, group: int) -> float:
        """See `DialPictures.work`; nobody counts it here."""
        return 0.0

    def changes(self, index: int, group: int, steps: np.ndarray) -> np.ndarray:
        """See `DialPictures.changes`."""
        if index not in self._plain:
            self._plain[index] = self._lightness(index, group, np.zeros_like(steps[0]))
        plain = self._plain[index]
        return np.array([np.abs(self._lightness(index, group, step) - plain).mean() for step in steps])

    def _lightness(self, index: int, group: int, step: np.ndarray) -> np.ndarray:
        if self._stop():
            raise Stopped
        w_plus = np.repeat(self._sampled[index][None], len(self._groups), axis=0)
        w_plus[self._groups == group] += step
        return lightness_on_grid(picture(self._runner, w_plus))

    def close(self) -> None:
        """End the runner."""
        self._runner.close()


def _styles(affine: Affine, w_plus: Tensor) -> Tensor:
    return torch.addmm(
        torch.from_numpy(affine.bias), w_plus[:, affine.row], torch.from_numpy(affine.matrix).T
    )


def _coloured(plan: PicturePlan, x: Tensor, w_plus: Tensor) -> Tensor:
    styles = _styles(plan.affine, w_plus)
    y = F.conv2d(x * styles[:, :, None, None], torch.from_numpy(plan.weight)[:, :, None, None])
    y = y + torch.from_numpy(plan.bias)[:, None, None]
    return y if plan.clamp is None else y.clamp_(-plan.clamp, plan.clamp)


def work_of(plan: Plan) -> float:
    """Products in a picture, about."""
    return sum(block_work(block) for block in plan.blocks)


def block_work(block: BlockPlan) -> float:
    """Products in a block's convolutions."""
    convs = (conv for conv in (block.conv0, block.conv1) if conv is not None)
    return sum(float(c.weight.size) * c.height * c.width / (4 if c.up else 1) for c in convs)


def _lightness_of(window: _Window, whole: tuple[int, int]) -> np.ndarray:
    rows, columns = window.inner(whole)
    return lightness(OF_BYTES[_pixels(window)[:, rows, columns]])


def _pixels(window: _Window) -> np.ndarray:
    """Uint8 [N, h, w, 3], as runners make them."""
    assert window.picture is not None
    pixels: np.ndarray = as_bytes(window.picture.clone()).numpy()
    return pixels
