"""From a configuration and weights to the ``encodec`` package's own module."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.readers.configuration import SeanetConfig
from lavlive.errors import EncoderError

# Sound of this loudness is heard once at the start: what comes out must be numbers.
_TRIAL_HOPS = 4
_TRIAL_LEVEL = 0.1


def assemble(config: SeanetConfig, weights: Mapping[str, np.ndarray], shown: object) -> nn.Module:
    """A ``SEANetEncoder`` of ``config`` with ``weights``; allocates no more than they have.

    Raises EncoderError when they do not fit, or do not make latents that are numbers and follow the sound.
    """
    try:
        with torch.device("meta"):
            encoder = build_seanet_encoder(**config.hyperparameters())
        state = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in weights.items()}
        encoder.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, ValueError, ArithmeticError, AttributeError, AssertionError) as error:
        first = str(error).strip().splitlines()
        detail = (first[1] if len(first) > 1 else first[0] if first else "").strip()[:200]
        raise EncoderError(f"{shown}: the weights do not fit the encoder's shape: {detail}") from error
    encoder.eval()
    _try(encoder, config, shown)
    return encoder


def _try(encoder: nn.Module, config: SeanetConfig, shown: object) -> None:
    """Hear a little noise: weights that are far too large drown every sound, or give no numbers."""
    random = torch.Generator().manual_seed(0)
    sound = torch.randn(1, config.channels, _TRIAL_HOPS * config.hop, generator=random) * _TRIAL_LEVEL
    with torch.inference_mode():
        latents = encoder(sound)
    if not torch.isfinite(latents).all():
        raise EncoderError(f"{shown} makes latents that are not numbers: its weights are damaged")
