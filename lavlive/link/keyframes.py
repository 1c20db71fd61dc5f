"""Moments of the show that were kept: a w per layer group, of one model, as text that presets can hold."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

MOST = 16
"""Keyframes of a show."""
LONGEST_CODE = 4 * 1024 * 2 * 3 // 3
"""Letters of the widest W's code: three rows of 1024 numbers of two bytes."""
_HASH = 32


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A kept moment.

    Attributes:
        model: the first letters of the model's hash; with another model it means nothing.
        code: float16 [3, w_dim] in base64, w of the coarse, middle and fine layers.
    """

    model: Annotated[str, Meta(min_length=1, max_length=_HASH, description="model is the hash of a model.")]
    code: Annotated[str, Meta(max_length=LONGEST_CODE, description="code is a w, as lavlive writes it.")]

    def is_of(self, model_hash: str) -> bool:
        """Whether it is a moment of the model of that hash."""
        return model_key(model_hash) == self.model

    @property
    def w(self) -> np.ndarray:
        """Float32 [3, w_dim].

        Raises:
            ValueError: the code is damaged.
        """
        try:
            numbers = np.frombuffer(base64.b64decode(self.code, validate=True), "<f2")
        except (binascii.Error, ValueError):
            raise ValueError("code is no w that lavlive wrote.") from None
        if len(numbers) == 0 or len(numbers) % 3 or not np.isfinite(numbers).all():
            raise ValueError("code is no w that lavlive wrote.")
        return numbers.reshape(3, -1).astype(np.float32)


def model_key(model_hash: str) -> str:
    """What keyframes say of their model."""
    return model_hash[:_HASH]


def kept(model_hash: str, w: np.ndarray) -> Keyframe:
    """A keyframe of w [3, w_dim]."""
    numbers = np.clip(w, -6e4, 6e4).astype("<f2")
    return Keyframe(model_key(model_hash), base64.b64encode(numbers.tobytes()).decode("ascii"))
