"""A mixture for a show: another model's file, opened beside the one that is shown, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from lavlive.errors import CheckpointError
from lavlive.generator.checkpoint import LoadedGenerator, stylegan2_of
from lavlive.generator.grid import Fill, Grid
from lavlive.generator.importing import open_model
from lavlive.generator.mixing import KINSHIP, Shares, kinship, mixed, require_one_shape, shares_now
from lavlive.generator.runner import another_like, spare_threads
from lavlive.generator.runners.base import Runner
from lavlive.generator.runners.blending import Blend
from lavlive.generator.runners.plan import Plan, make_plan
from lavlive.generator.widening import in_one_width
from lavlive.resources import generator_file


class LiveMixture:
    """See `engine.picture_worker.Mixture`."""

    def __init__(self, hash: str, note: str, kin: Mapping[int, float], blend: Blend) -> None:
        self.hash = hash
        self.note = note
        self._kin = kin
        self._blend = blend

    def runner(self, numbers: np.ndarray) -> Runner | None:
        """What makes the pictures under the parameters' values; None for the model's own runner."""
        return self._blend.runner(shares_now(self._kin, numbers))

    def stay_with_torch(self) -> None:
        """Let no other runner take over: a film's pictures do not depend on when one would be ready."""
        self._blend.stay_with_torch()

    def close(self) -> None:
        """Let go of its memory."""
        self._blend.close()


def mixer_of(loaded: LoadedGenerator, runner: Runner, grid: Grid, fill: Fill) -> Callable[[str], LiveMixture]:
    """What mixes a model with the one in a file, or with a bundled one; see `open_mixture`."""
    return partial(open_mixture, loaded, runner, grid, fill)


def open_mixture(loaded: LoadedGenerator, runner: Runner, grid: Grid, fill: Fill, other: str) -> LiveMixture:
    """Open another model and make ready to mix it in.

    Args:
        runner: that makes the first one's pictures; one of its kind takes over mixtures that rest.

    Raises:
        CheckpointError: there is no such model, it has another shape, or one of both is a StyleGAN3.
    """
    file = generator_file(other)
    mixed_in = open_model(file)
    one, two = in_one_width(stylegan2_of(loaded), stylegan2_of(mixed_in))
    name = _name(mixed_in, file)
    try:
        require_one_shape(one.config, two.config)
    except CheckpointError as reason:
        raise CheckpointError(f"{name} is not mixed in: {reason}.") from None
    kin = kinship(one, two)
    plans = [make_plan(each.synthesis, each.mapping.w_mean, grid, fill) for each in (one, two)]
    on_card = runner.name in ("cuda", "mps")

    def plan_of(shares: Shares) -> Plan:
        return make_plan(mixed(one, two, shares).synthesis, one.mapping.w_mean, grid, fill)

    def build(plan: Plan) -> Runner:
        return another_like(runner, plan)

    blend = Blend(
        plans[0],
        plans[1],
        plan_of,
        runner.name if on_card else "cpu",
        None if runner.name in ("torch", "mps") else build,
        None if on_card else spare_threads(),
    )
    return LiveMixture(mixed_in.hash, note_on(name, kin), kin, blend)


def note_on(name: str, kin: Mapping[int, float]) -> str:
    """One line: at which resolutions weights blend, and where layers are swapped."""
    apart = [f"{resolution}²" for resolution, cosine in kin.items() if cosine < KINSHIP]
    if not apart:
        return f"{name} is mixed in: it has one ancestor with this model, and weights blend everywhere"
    if len(apart) == len(kin):
        return f"{name} is mixed in: no ancestor with this model; layers are swapped when a knob passes 0.5"
    return (
        f"{name} is mixed in: weights blend; at {', '.join(apart)} there is no common ancestor, and layers "
        "are swapped when the knob passes 0.5"
    )


def _name(loaded: LoadedGenerator, file: Path) -> str:
    called = "".join(letter for letter in str(loaded.card.get("name") or file.stem) if letter.isprintable())
    return called[:80]
