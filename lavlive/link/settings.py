"""What a stage tells an engine at its start; all that is needed to begin again after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from msgspec import Meta

from lavlive.audio.spec import SourceSpec

WIDEST = 8.0
"""Largest ratio of a picture's sides."""
Aspect = Annotated[float, Meta(ge=1 / WIDEST, le=WIDEST)]
"""Width by height."""
Fill = Literal["auto", "stretch", "mirror", "tile", "pad"]
"""How a generator's constant comes to another shape (``generator.grid``); ``auto`` is what its card says."""
PictureRate = Annotated[float, Meta(ge=1, le=240)]
"""Pictures per second."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The engine's part of the state of a show.

    Attributes:
        source: what to listen to.
        model: a bundled generator's name or the path of a file; None for the first bundled one.
        encoder: ``bundled``, ``encodec``, or the path of an encoder's file.
        runner: of the generator: ``auto``, ``torch``, ``openvino``, ``cuda``.
        device: what ``auto`` may choose among, for generator and encoder: ``auto``, or ``cpu``.
        rate: pictures per second, at most.
        aspect: shape of the pictures, or None for the model's own.
        fill: how the model comes to that shape.
        learned: path of a learned projection, or None.
        bank: models to take instead, in this order, when `model` cannot be played.
        log: path to which w+ of every hop is written, for comparisons.
        follows: whether another machine's conductor says what to show: then there is no sound and no encoder.
        resumed: whether this engine follows another in the same show, and so waits for a device that is away.
    """

    source: SourceSpec = field(default_factory=lambda: SourceSpec("demo"))
    model: str | None = None
    encoder: str = "bundled"
    runner: str = "auto"
    device: str = "auto"
    rate: PictureRate = 60.0
    aspect: Aspect | None = None
    fill: Fill = "auto"
    learned: str | None = None
    bank: tuple[str, ...] = ()
    log: str | None = None
    follows: bool = False
    resumed: bool = False

    @property
    def on_cpu(self) -> bool:
        """Whether neither generator nor encoder may touch a graphics card."""
        return self.device == "cpu" or self.runner in ("torch", "openvino")

    def stepped_down(self) -> EngineSettings:
        """The same show where memory is short: from a card to the fastest on the CPU, from there to torch."""
        if self.on_cpu:
            return replace(self, runner="torch", device="cpu")
        return replace(self, runner="auto", device="cpu")

    def safe(self) -> EngineSettings:
        """The same show with nothing but what ships with lavlive, on the CPU."""
        return replace(self, model=None, encoder="bundled", runner="torch", learned=None, bank=())
