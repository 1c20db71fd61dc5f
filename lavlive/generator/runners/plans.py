"""The plan of any generator, and the grid that its pictures grow from."""

from __future__ import annotations

from lavlive.generator.alias_free import AliasFreeGenerator, AnyGenerator
from lavlive.generator.grid import Fill, Grid
from lavlive.generator.runners.alias_free_plan import AliasFreePlan, alias_free_grid, make_alias_free_plan
from lavlive.generator.runners.plan import Plan, make_plan, native_grid

AnyPlan = Plan | AliasFreePlan


def plan_of(generator: AnyGenerator, grid: Grid | None = None, fill: Fill = "stretch") -> AnyPlan:
    """What runners make pictures from.

    Args:
        grid: which gives pictures their shape; the generator's own when not given.
        fill: how StyleGAN2's constant comes to another size; StyleGAN3 has none.
    """
    if isinstance(generator, AliasFreeGenerator):
        return make_alias_free_plan(generator.synthesis, grid)
    return make_plan(generator.synthesis, generator.mapping.w_mean, grid, fill)


def grid_of(generator: AnyGenerator) -> Grid:
    """Of a generator's own shape: its constant's, or the samples of its Fourier features per picture."""
    if isinstance(generator, AliasFreeGenerator):
        return alias_free_grid(generator.synthesis)
    return native_grid(generator.synthesis)
