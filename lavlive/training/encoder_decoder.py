"""A decoder and a quantiser for an encoder that stays as it is.

Only an encoder ships. To hear what its latents hold, a decoder can be fitted to it afterwards: the codec's
own, behind a linear map of the latents, which finds what the encoder's last map turned and weighed. The
losses are the codec's; nothing of them reaches the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lavlive.encoder.base import EncoderInfo
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.errors import TrainingError
from lavlive.training.encoder_codec import Decoder, MelDistance, ResidualQuantizer
from lavlive.training.encoder_data import SAMPLE_RATE, Mono, Segments, Track
from lavlive.training.encoder_train import (
    DECODER,
    DecoderRecipe,
    Training,
    read_run,
    stages_of,
    wave_loss,
)

_STRETCH_SECONDS = 10.0
_STRETCHES = 64
_STEPS_PER_HEARING = 300


class FrozenCodec(nn.Module):
    """Sound to the latents of a frozen encoder and back to sound; called as a `Codec` is.

    The encoder is no part of the state: a checkpoint holds what was fitted to it, and its hash.

    Raises:
        TrainingError: the encoder is not one for 24 kHz.
    """

    def __init__(self, encoder: StreamingEncoder, stages: int = 8) -> None:
        super().__init__()
        if encoder.sample_rate != SAMPLE_RATE:
            raise TrainingError(
                f"the encoder {encoder.name} hears {encoder.sample_rate} Hz, but music here has {SAMPLE_RATE}"
            )
        self.encoder = encoder
        dimension = encoder.dimension
        self.turn = nn.Conv1d(dimension, dimension, 1)
        nn.init.dirac_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)  # type: ignore[arg-type]
        self.standardise = nn.BatchNorm1d(dimension, affine=False, momentum=0.02)
        self.quantizer = ResidualQuantizer(dimension, stages)
        self.decoder = Decoder(dimension, encoder.hop)

    def forward(self, sound: Tensor, stages: int = 8) -> tuple[Tensor, Tensor, Tensor]:
        """One clip [1, 1, hop·T] to (its copy, turned latents [1, dimension, T], commitment loss).

        ``stages`` is how many codebooks are used; with 0 the latents go to the decoder as they are.
        """
        return self.rebuild(torch.from_numpy(self.encoder.encode(sound[0, 0].numpy())).t()[None], stages)

    def rebuild(self, latents: Tensor, stages: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same from the encoder's latents [N, dimension, T]."""
        turned: Tensor = self.standardise(self.turn(latents))
        if not stages:
            return self.decoder(turned), turned, turned.new_zeros(())
        quantised, commitment = self.quantizer(turned, stages)
        return self.decoder(quantised), turned, commitment


class Hearing:
    """What the frozen encoder makes of stretches of music, drawn anew now and then.

    A stretch is heard once, as a stream with its past, and serves for many steps: that costs a tenth of
    hearing every segment. What is heard and drawn at a step follows from the seed and the step alone.
    """

    def __init__(self, encoder: StreamingEncoder, tracks: list[Track], recipe: DecoderRecipe) -> None:
        self._encoder, self._recipe, self._tracks = encoder, recipe, tracks
        longest = max(len(track.samples) for track in tracks) / SAMPLE_RATE
        self._seconds = max(recipe.seconds, min(_STRETCH_SECONDS, 0.9 * longest))
        self._segment = round(recipe.seconds * SAMPLE_RATE / encoder.hop)
        self._number = -1
        self._sounds: Mono = np.zeros((0, 0), np.float32)
        self._latents: Mono = np.zeros((0, 0, 0), np.float32)
        self._segments()  # so that music that is too short is refused at once

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Sound [batch, 1, hop·T] and the encoder's latents of it [batch, dimension, T]."""
        if step // _STEPS_PER_HEARING != self._number:
            self._number = step // _STEPS_PER_HEARING
            self._sounds = self._segments().singles(_STRETCHES)[:, 0]
            self._latents = np.stack([self._encoder.encode(sound) for sound in self._sounds])
        rng = np.random.default_rng((self._recipe.seed, step))
        hop, length = self._encoder.hop, self._segment
        sounds, latents = [], []
        for stretch in rng.integers(len(self._sounds), size=self._recipe.batch):
            first = int(rng.integers(self._latents.shape[1] - length + 1))
            sounds.append(self._sounds[stretch, first * hop : (first + length) * hop])
            latents.append(self._latents[stretch, first : first + length].T)
        return torch.from_numpy(np.stack(sounds)[:, None]), torch.from_numpy(np.stack(latents))

    def _segments(self) -> Segments:
        seed = int(np.random.SeedSequence((self._recipe.seed, self._number + 1)).generate_state(1)[0])
        return Segments(self._tracks, self._seconds, seed)


class DecoderRun(Training):
    """Training of a decoder and a quantiser for a frozen encoder; the constructor resumes.

    Raises:
        TrainingError: the folder's checkpoint is damaged, of another kind or for another encoder.
    """

    kind = DECODER

    def __init__(
        self,
        folder: Path,
        tracks: list[Track],
        recipe: DecoderRecipe,
        encoder: StreamingEncoder,
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.codec = FrozenCodec(encoder).to(device)
        super().__init__(folder, self.codec, recipe, torch.device(device))
        self.encoder = encoder
        self.mel = MelDistance().to(self.device)
        self.hearing = Hearing(encoder, tracks, recipe)
        self.resume()

    def losses(self) -> dict[str, Tensor]:
        """Those of the codec that concern the decoder and the quantiser."""
        sound, latents = (each.to(self.device) for each in self.hearing.batch(self.step))
        copy, _, commitment = self.codec.rebuild(latents, stages_of(self.step, self.codec.quantizer))
        return {"wave": wave_loss(copy, sound), "mel": self.mel(copy, sound), "commitment": commitment}

    def extras(self) -> dict[str, Any]:
        """Which encoder it is for."""
        return {"encoder": self.encoder.hash}

    def check(self, content: Mapping[str, Any], path: Path) -> None:
        """Refuse another encoder."""
        _check_encoder(content, self.encoder.info, path)


def frozen_codec_of(folder: Path, encoder: StreamingEncoder) -> FrozenCodec:
    """The averaged decoder of a run's folder behind the encoder that it was fitted to.

    Raises:
        TrainingError: there is no such run, or it was fitted to another encoder.
    """
    content = read_run(folder, DECODER)
    _check_encoder(content, encoder.info, folder)
    codec = FrozenCodec(encoder)
    try:
        codec.load_state_dict(content["averaged"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise TrainingError(f"{folder} holds no decoder for {encoder.name}: {str(error)[:200]}") from error
    return codec.eval()


def _check_encoder(content: Mapping[str, Any], encoder: EncoderInfo, place: Path) -> None:
    if content.get("encoder") != encoder.hash:
        raise TrainingError(
            f"{place} was fitted to another encoder (SHA-256 {str(content.get('encoder'))[:12]}…) than "
            f"{encoder.name} ({encoder.hash[:12]}…): say --encoder FILE, or take another folder"
        )
