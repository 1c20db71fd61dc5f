"""Writes encoders' files as other codebases write them, with torch's and safetensors' own writers.

The tables of tensors in ``fixtures/encoders`` are randomly initialised models of transformers 5.24 and of the
encodec package 0.1.1, made narrow and rounded to half precision; their latents were made there, of ``sound``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

FIXTURES = Path(__file__).parent.parent / "fixtures" / "encoders"
NAMES = (
    "transformers-24khz",
    "transformers-32khz",
    "transformers-48khz",
    "encodec-24khz",
    "encodec-48khz",
    "audiocraft-32khz",
)
AUDIOCRAFT_SETTINGS = """\
sample_rate: 32000
channels: 1
encodec:
  autoencoder: seanet
  sample_rate: ${sample_rate}
  channels: ${channels}
  causal: false
  renormalize: false
seanet:
  dimension: 8
  causal: ${encodec.causal}
  ratios:
  - 8
  - 5
  - 4
  - 4
  pad_mode: reflect
  true_skip: true
"""


@dataclass
class EncoderFixture:
    """A reference's tensors under its own names, its settings where it has any, and its latents of ``sound``.

    ``latents`` are float32 [n, 8], offline, the signal continued at both ends by reflection.
    """

    name: str
    theirs: dict[str, Tensor]
    settings: str
    latents: np.ndarray

    @property
    def rate(self) -> int:
        """Hertz."""
        return int(self.name.rsplit("-", 1)[1].removesuffix("khz")) * 1000

    @property
    def hop(self) -> int:
        """Samples per latent."""
        return 640 if self.rate == 32_000 else 320


def encoder_fixture(name: str) -> EncoderFixture:
    """The fixture ``name``, one of ``NAMES``.

    That of the encodec package at 48 kHz is transformers' under its names.
    """
    if name == "encodec-48khz":
        other = encoder_fixture("transformers-48khz")
        renamed = {_encodecs_name(key): tensor for key, tensor in other.theirs.items()}
        return EncoderFixture(name, renamed, "", other.latents)
    with safe_open(FIXTURES / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        settings = file.metadata()["config"]
    theirs = {key[7:]: tensor.float() for key, tensor in tensors.items() if key.startswith("theirs/")}
    return EncoderFixture(name, theirs, settings, tensors["latents"].numpy())


def _encodecs_name(name: str) -> str:
    parts = name.replace("encoder.layers.", "encoder.model.").split(".")
    at = next((i for i, part in enumerate(parts) if part in ("conv", "norm")), None)
    return ".".join(parts if at is None else [*parts[:at], "conv", *parts[at:]])


def sound(rate: int, hop: int) -> np.ndarray:
    """1.2 s of noise that swells three times a second, float32, whole hops."""
    count = int(1.2 * rate)
    noise = 0.2 * np.random.default_rng(rate).standard_normal(count)
    samples = (noise * np.sin(np.arange(count) * 2 * np.pi * 3 / rate)).astype(np.float32)
    return samples[: count // hop * hop]


def written(fixture: EncoderFixture, folder: Path, kind: str = "") -> Path:
    """The fixture as its codebase writes it; ``bin`` is transformers' older file. What to open."""
    decoder = {"decoder.layers.0.conv.bias": torch.zeros(3), "quantizer.layers.0.embed": torch.zeros(4, 2)}
    content = {**fixture.theirs, **decoder}
    if fixture.name.startswith("transformers"):
        (folder / "config.json").write_text(fixture.settings)
        if kind == "bin":
            torch.save(content, folder / "pytorch_model.bin")
        else:
            save_file(content, folder / "model.safetensors", {"format": "pt"})
        return folder
    if fixture.name.startswith("audiocraft"):
        path = folder / "compression_state_dict.bin"
        torch.save({"best_state": content, "xp.cfg": AUDIOCRAFT_SETTINGS, "exported": True}, path)
        return path
    path = folder / "encodec.th"
    torch.save(content, path)
    return path
