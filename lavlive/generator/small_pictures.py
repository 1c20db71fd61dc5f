"""Small pictures of random w, to choose from: cheap ones, made of as many layers as it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.dial_pictures import block_work
from lavlive.generator.runners.alias_free_plan import AliasFreePlan
from lavlive.generator.runners.base import picture
from lavlive.generator.runners.plans import AnyPlan, plan_of
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.generator.wstats import random_w
from lavlive.shrinking import averaged

_LEAST = 64
"""Rows that a picture has at least, if the network has so many."""
_MOST_WORK = 4e9
"""Products that a larger one may cost."""

DrawSmall = Callable[[int, int], np.ndarray]
"""Of the w of a number and a class, as the anchor has them: uint8 [side, side, 3]."""


def open_small_pictures(loaded: LoadedGenerator, side: int) -> DrawSmall:
    """What draws small pictures of a model, ``side`` rows of ``side``. One thread uses it."""
    runner = TorchRunner(cut(plan_of(loaded.generator)), "cpu", threads=1)

    def draw(number: int, class_index: int) -> np.ndarray:
        w = random_w(loaded.generator, number, class_index)
        return reduced(picture(runner, np.repeat(w[None], runner.num_ws, axis=0)), side)

    return draw


def cut(plan: AnyPlan) -> AnyPlan:
    """The plan, or as much of its lower resolutions as makes a picture cheaply.

    Networks whose pictures are sums over resolutions alone can be cut.
    """
    if isinstance(plan, AliasFreePlan):
        return plan
    work, kept = 0.0, len(plan.blocks) - 1
    for index, block in enumerate(plan.blocks):
        work += block_work(block)
        if block.picture is not None and block.resolution >= _LEAST and work > _MOST_WORK:
            kept = index
            break
    last = plan.blocks[kept]
    return replace(
        plan,
        blocks=plan.blocks[: kept + 1],
        resolution=last.resolution,
        height=last.height,
        width=last.width,
    )


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """The middle square of a picture, uint8 [H, W, 3], as [side, side, 3], by means over its pixels."""
    height, width = pixels.shape[:2]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    return averaged(pixels[top : top + square, left : left + square], side, side)
