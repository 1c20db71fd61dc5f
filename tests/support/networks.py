"""The parts of a generator as tests reach into them; torch types a list of modules as modules of any kind."""

from __future__ import annotations

from typing import Any

from lavlive.generator.network import Generator


def blocks_of(generator: Generator) -> list[Any]:
    """The synthesis blocks, from the smallest resolution."""
    return list(generator.synthesis.blocks)
