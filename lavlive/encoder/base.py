"""What every encoder is: a stream of samples in, a stream of latents out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lavlive.encoder.layers import Network


@dataclass(frozen=True, eq=False)
class Calibration:
    """How an encoder's latents are distributed on ordinary music.

    Attributes:
        mean: float32 [dimension].
        covariance: float32 [dimension, dimension].
    """

    mean: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class EncoderInfo:
    """What is known of an encoder apart from its layers.

    Attributes:
        name: what the user chose: ``bundled``, ``encodec`` or the file's name.
        sample_rate: hertz.
        trained: False for seeded random weights; whoever shows the name says so.
        hash: SHA-256 of the weights' file, in hex.
        licence: of the weights.
        card: whatever their maker wrote down.
        notes: one line for the operator of each thing worth knowing.
        calibration: kept with the weights, where it is.
    """

    name: str
    sample_rate: int = 24_000
    trained: bool = False
    hash: str = ""
    licence: str = "unknown"
    card: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name for people, which says whether the weights are trained."""
        return self.name if self.trained else f"{self.name} (untrained)"


class Encoder(Protocol):
    """An encoder with the state of one stream. One thread owns it; none of its calls blocks.

    One that hears ahead gives each latent as soon as the last of its ``ahead`` samples is there: in the hops
    of ``step`` a latent's own samples end ``ahead`` before the hop's end. ``Pieces`` gives the
    latents of a stream from its first sample on.

    ``step`` never lets a sample change a latent that was given before, and gives the same latents
    whatever the samples come in. It keeps what it hears: a sample that is not finite spoils all that
    follows until ``reset``, so the caller lets none through.
    """

    @property
    def info(self) -> EncoderInfo:
        """Name, hash, licence and the rest."""

    @property
    def name(self) -> str:
        """``bundled``, ``encodec`` or the file's name."""

    @property
    def sample_rate(self) -> int:
        """Hertz."""

    @property
    def hop(self) -> int:
        """Samples per latent."""

    @property
    def dimension(self) -> int:
        """Numbers per latent."""

    @property
    def ahead(self) -> int:
        """How many samples after its own hop a latent hears: 0 for a causal encoder."""

    @property
    def lookahead(self) -> float:
        """The same in seconds: by so much latents come later than their sound."""

    @property
    def delay(self) -> int:
        """How many latents of the silence before a stream come first."""

    @property
    def trained(self) -> bool:
        """False for seeded random weights."""

    @property
    def hash(self) -> str:
        """SHA-256 of the weights' file."""

    @property
    def licence(self) -> str:
        """Of the weights."""

    @property
    def runner(self) -> str:
        """``torch``, ``onnx`` or ``cuda``."""

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [n·hop] to float32 [n, dimension]; the array returned is the caller's own."""

    def reset(self) -> None:
        """Forget everything heard: the next sample begins a new stream."""

    def save_state(self) -> dict[str, np.ndarray]:
        """A copy of all that the stream carries, by name."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from where ``save_state`` of an encoder with the same layers was."""

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """A whole clip as its own stream, at once: float32 [n·hop] to float32 [n, dimension].

        Leaves the running stream as it is.
        """


class NetworkEncoder:
    """The properties that follow from an encoder's layers and from what is known of it."""

    def __init__(self, network: Network, info: EncoderInfo) -> None:
        self.network = network
        self.info = info

    @property
    def name(self) -> str:
        """``bundled``, ``encodec`` or the file's name."""
        return self.info.name

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return self.info.sample_rate

    @property
    def hop(self) -> int:
        """Samples per latent."""
        return self.network.hop

    @property
    def dimension(self) -> int:
        """Numbers per latent."""
        return self.network.dimension

    @property
    def ahead(self) -> int:
        """How many samples after its own hop a latent hears: 0 for a causal encoder."""
        return self.network.ahead

    @property
    def lookahead(self) -> float:
        """The same in seconds."""
        return self.network.ahead / self.info.sample_rate

    @property
    def delay(self) -> int:
        """How many latents of the silence before a stream come first."""
        return self.network.delay

    @property
    def trained(self) -> bool:
        """False for seeded random weights."""
        return self.info.trained

    @property
    def hash(self) -> str:
        """SHA-256 of the weights' file."""
        return self.info.hash

    @property
    def licence(self) -> str:
        """Of the weights."""
        return self.info.licence

    def split(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """``samples`` hop by hop. Raises ValueError unless they are whole hops of float32."""
        self.check(samples)
        for start in range(0, len(samples), self.hop):
            yield samples[start : start + self.hop]

    def check(self, samples: np.ndarray) -> None:
        """Raise ValueError unless ``samples`` are whole hops of mono float32."""
        if samples.ndim != 1 or samples.dtype != np.float32 or len(samples) % self.hop:
            raise ValueError(
                f"an encoder takes float32 [n·{self.hop}], not {samples.dtype} {list(samples.shape)}"
            )
