"""A small neural codec: encoder, residual vector quantiser, decoder, and the losses that train them.

The recipe is EnCodec's (Défossez et al., "High Fidelity Neural Audio Compression", 2022) without its
discriminators. Three further losses make the encoder a better driver of pictures: near hops alike, the
spectrum within linear reach, no two dimensions the same. Only the encoder ships.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lavlive.encoder.encodec_package import build_seanet_encoder, encodec_modules
from lavlive.training.encoder_data import SAMPLE_RATE

Hyperparameters = Mapping[str, Any]


def hyperparameters(filters: int) -> dict[str, Any]:
    """Arguments of ``SEANetEncoder``: EnCodec's 24 kHz model with fewer filters and one LSTM layer."""
    return {
        "channels": 1,
        "dimension": 128,
        "n_filters": filters,
        "ratios": [8, 5, 4, 2],
        "norm": "weight_norm",
        "causal": True,
        "pad_mode": "constant",
        "lstm": 1,
    }


class ResidualQuantizer(nn.Module):
    """Codebooks in a row, each for what the ones before left over, learned as moving averages.

    After van den Oord et al. 2017, appendix A.1. The first batch fills the books; a code that is hardly
    used is replaced by a vector of the batch.
    """

    def __init__(self, dimension: int, stages: int = 8, size: int = 256, decay: float = 0.98) -> None:
        super().__init__()
        self.decay = decay
        self.books: Tensor
        self.sums: Tensor
        self.counts: Tensor
        self.filled: Tensor
        self.register_buffer("books", torch.zeros(stages, size, dimension))
        self.register_buffer("sums", torch.zeros(stages, size, dimension))
        self.register_buffer("counts", torch.zeros(stages, size))
        self.register_buffer("filled", torch.zeros(stages, dtype=torch.bool))

    def forward(self, latents: Tensor, stages: int) -> tuple[Tensor, Tensor]:
        """Latents [N, dimension, T] to their quantised copies (gradients pass straight through).

        Also gives the commitment loss: how far the latents are from their codes. ``stages`` uses only
        the first so many books.
        """
        vectors = latents.transpose(1, 2).reshape(-1, latents.shape[1])  # [N·T, dimension]
        left = vectors
        commitment = vectors.new_zeros(())
        for stage in range(stages):
            if self.training and not self.filled[stage]:
                self._fill(stage, left.detach())
            codes = torch.cdist(left.detach(), self.books[stage]).argmin(dim=1)
            chosen = self.books[stage][codes]
            if self.training:
                self._learn(stage, left.detach(), codes)
            commitment = commitment + functional.mse_loss(left, chosen)
            left = left - chosen
        quantised = (vectors - left).view(latents.shape[0], -1, latents.shape[1]).transpose(1, 2)
        return latents + (quantised - latents).detach(), commitment

    def _fill(self, stage: int, vectors: Tensor) -> None:
        size = self.books.shape[1]
        places = torch.randint(len(vectors), (size,), device=vectors.device)
        self.books[stage] = vectors[places] + 0.01 * vectors.std() * torch.randn_like(vectors[places])
        self.sums[stage] = self.books[stage]
        self.counts[stage] = 1.0
        self.filled[stage] = True

    def _learn(self, stage: int, vectors: Tensor, codes: Tensor) -> None:
        size = self.books.shape[1]
        used = torch.bincount(codes, minlength=size).to(vectors.dtype)
        total = torch.zeros_like(self.sums[stage]).index_add_(0, codes, vectors)
        self.counts[stage].lerp_(used, 1 - self.decay)
        self.sums[stage].lerp_(total, 1 - self.decay)
        dead = self.counts[stage] < 0.02
        if dead.any():
            places = torch.randint(len(vectors), (int(dead.sum()),), device=vectors.device)
            self.sums[stage][dead] = vectors[places]
            self.counts[stage][dead] = 1.0
        self.books[stage] = self.sums[stage] / self.counts[stage][:, None]


class Decoder(nn.Module):
    """Latents to sound through a learned basis, overlapped and added, as in TasNet (Luo & Mesgarani 2018).

    Everything but the basis works at 75 Hz, so that training spends its time on the encoder, the part
    that ships.
    """

    def __init__(self, dimension: int, hop: int, width: int = 384, blocks: int = 3) -> None:
        super().__init__()
        convolution = encodec_modules().SConv1d
        self.open = nn.Conv1d(dimension, width, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ELU(),
                convolution(width, width, 3, causal=True, pad_mode="constant"),
                nn.ELU(),
                nn.Conv1d(width, width, 1),
            )
            for _ in range(blocks)
        )
        self.basis = nn.ConvTranspose1d(width, 1, 2 * hop, hop)
        self.hop = hop

    def forward(self, latents: Tensor) -> Tensor:
        """[N, dimension, T] to [N, 1, hop·T]."""
        hidden = self.open(latents)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        sound: Tensor = self.basis(hidden)
        return sound[:, :, : -self.hop]


class Codec(nn.Module):
    """Sound to latents to sound.

    During training the latents are standardised per dimension, so that none dies and none outshouts the
    others; `shipping_encoder` folds that into the encoder's last convolution.
    """

    def __init__(self, filters: int, stages: int = 8) -> None:
        super().__init__()
        arguments = hyperparameters(filters)
        with warnings.catch_warnings():
            # The package uses torch's older weight_norm, which warns.
            warnings.simplefilter("ignore")
            self.encoder = build_seanet_encoder(**arguments)
        _wake(self.encoder)
        self.standardise = nn.BatchNorm1d(arguments["dimension"], affine=False, momentum=0.02)
        self.quantizer = ResidualQuantizer(arguments["dimension"], stages)
        hop = math.prod(arguments["ratios"])
        self.decoder = Decoder(arguments["dimension"], hop)
        self.probe = SpectrumProbe(arguments["dimension"], hop)

    def forward(self, sound: Tensor, stages: int = 8) -> tuple[Tensor, Tensor, Tensor]:
        """Sound [N, 1, 320·T] to (its reconstruction, latents [N, 128, T], commitment loss).

        ``stages`` is how many codebooks are used; with 0 the latents go to the decoder as they are.
        """
        latents = self.latents(sound)
        if not stages:
            return self.decoder(latents), latents, latents.new_zeros(())
        quantised, commitment = self.quantizer(latents, stages)
        return self.decoder(quantised), latents, commitment

    def latents(self, sound: Tensor) -> Tensor:
        """Sound [N, 1, 320·T] to standardised latents [N, 128, T]."""
        standardised: Tensor = self.standardise(self.encoder(sound))
        return standardised


def _wake(encoder: nn.Module) -> None:
    """Scale the first weights up: torch's default start lets the signal fade away over this many layers."""
    with torch.no_grad():
        for name, value in encoder.named_parameters():
            if name.endswith("weight_g"):
                value.mul_(math.sqrt(3.0))
            elif name.endswith("conv.bias"):
                value.zero_()


def latents_of(codec: Codec) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Sound, float32 [320·n], to the codec's standardised latents, float32 [n, 128]."""

    def describe(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(codec.latents(torch.from_numpy(samples)[None, None])[0].t().numpy())

    return describe


def shipping_encoder(codec: Codec, change: Tensor | None = None) -> nn.Module:
    """The codec's encoder with the standardisation folded into its last convolution, in place.

    Args:
        change: [128, 128], applied to the standardised latents and folded in too.
    """
    encoder: Any = codec.encoder
    last = encoder.model[-1].conv.conv
    mean, variance = codec.standardise.running_mean, codec.standardise.running_var
    if mean is None or variance is None:
        raise ValueError("the codec keeps no running statistics")
    if change is None:
        change = torch.eye(len(mean))
    matrix = change / (variance + codec.standardise.eps).sqrt()
    with torch.no_grad():
        weight = last.weight_v * (last.weight_g / last.weight_v.norm(dim=(1, 2), keepdim=True))
        folded = torch.einsum("oi,ick->ock", matrix, weight)
        last.weight_v.copy_(folded)
        last.weight_g.copy_(folded.norm(dim=(1, 2), keepdim=True))
        last.bias.copy_(matrix @ (last.bias - mean))
    codec.standardise.reset_running_stats()
    return codec.encoder


class MelDistance(nn.Module):
    """Distance of two sounds in log-mel spectra at several window lengths; 0 for equal sounds.

    At each scale: mean |Δ log10 mel power| (in bels, floored at −80 dB), averaged over scales.
    """

    def __init__(
        self, windows: tuple[tuple[int, int], ...] = ((256, 24), (512, 40), (1024, 64), (2048, 96))
    ) -> None:
        super().__init__()
        self._scales = windows
        for window, bands in windows:
            self.register_buffer(f"filters_{window}", mel_filters(bands, window), persistent=False)
            self.register_buffer(f"window_{window}", torch.hann_window(window), persistent=False)

    def forward(self, sound: Tensor, other: Tensor) -> Tensor:
        """Two sounds [N, 1, samples] to a scalar."""
        distance = sound.new_zeros(())
        for window, _ in self._scales:
            distance = distance + functional.l1_loss(
                self._spectrum(sound, window), self._spectrum(other, window)
            )
        return distance / len(self._scales)

    def _spectrum(self, sound: Tensor, window: int) -> Tensor:
        shape = getattr(self, f"window_{window}")
        bins = torch.stft(
            sound.squeeze(1),
            window,
            window // 4,
            window=shape,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = (bins.real.square() + bins.imag.square()) / shape.sum().square()
        return torch.log10(getattr(self, f"filters_{window}") @ power + 1e-8)


def mel_filters(bands: int, window: int, rate: int = SAMPLE_RATE) -> Tensor:
    """Triangular filters [bands, window // 2 + 1], evenly spaced in mel from 20 Hz (O'Shaughnessy 1987)."""
    top = 2595.0 * torch.log10(torch.tensor(1.0 + rate / 2 / 700.0))
    bottom = 2595.0 * torch.log10(torch.tensor(1.0 + 20.0 / 700.0))
    edges = 700.0 * (10.0 ** (torch.linspace(float(bottom), float(top), bands + 2) / 2595.0) - 1.0)
    # A band narrower than a bin would be empty: widen it to the bin.
    bin_width = rate / window
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    lower, upper = torch.minimum(lower, centre - bin_width), torch.maximum(upper, centre + bin_width)
    hertz = torch.arange(window // 2 + 1) * bin_width
    rising = (hertz - lower[:, None]) / (centre - lower)[:, None]
    falling = (upper[:, None] - hertz) / (upper - centre)[:, None]
    return torch.minimum(rising, falling).clamp_min(0.0)


def contrast_in_time(latents: Tensor, each: int = 4, temperature: float = 0.2) -> Tensor:
    """How poorly latents tell near hops from far ones: InfoNCE (van den Oord et al. 2018).

    Segments 2k and 2k + 1 are near each other. For some hops of each segment, a random hop of the same
    pair must be nearer than hops of all other pairs, by the Euclidean distance that the projection of
    the latent path keeps.

    Args:
        latents: [N, 128, T], standardised, N even.
        each: anchors per segment.
    """
    count, dimension, length = latents.shape
    skip = min(15, length // 4)  # the encoder has no past there
    rows = torch.arange(count, device=latents.device)[:, None].expand(-1, each)
    siblings = rows ^ torch.randint(0, 2, rows.shape, device=latents.device)
    places, partners = (torch.randint(skip, length, rows.shape, device=latents.device) for _ in range(2))
    anchors = latents[rows, :, places].reshape(-1, dimension)
    others = latents[siblings, :, partners].reshape(-1, dimension)
    nearness = -torch.cdist(anchors, others).square() / (dimension * temperature)  # [N·each, N·each]
    pair = (rows // 2).reshape(-1)
    mine = torch.arange(len(pair), device=latents.device)
    own = (pair[:, None] == pair) & (mine[:, None] != mine)
    return functional.cross_entropy(nearness.masked_fill(own, float("-inf")), mine)


class SpectrumProbe(nn.Module):
    """A linear map that must read the log-mel spectrum of the present off the latents.

    A waveform can be rebuilt from latents that tell little more than its phase; what this probe can read
    is what an eye would call the sound: which bands are loud just now.
    """

    def __init__(self, dimension: int, hop: int, bands: int = 64, window: int = 1024) -> None:
        super().__init__()
        self.linear = nn.Conv1d(dimension, bands, 1)
        self.hop, self.size = hop, window
        self.filters: Tensor
        self.window: Tensor
        self.register_buffer("filters", mel_filters(bands, window), persistent=False)
        self.register_buffer("window", torch.hann_window(window), persistent=False)

    def forward(self, latents: Tensor, sound: Tensor) -> Tensor:
        """The share of the spectrum's variance that cannot be read, 0 is best.

        Latents [N, dimension, T] and their sound [N, 1, hop·T]; each hop is compared with the window that
        ends with it.
        """
        frames = functional.pad(sound[:, 0], (self.size - self.hop, 0)).unfold(1, self.size, self.hop)
        power = torch.fft.rfft(frames * self.window).abs().square() / self.window.sum().square()
        target = torch.log10(power @ self.filters.t() + 1e-7).transpose(1, 2)  # [N, bands, T]
        mean = target.mean(dim=(0, 2), keepdim=True)
        spread = target.std(dim=(0, 2), keepdim=True) + 1e-3
        return functional.mse_loss(self.linear(latents), (target - mean) / spread)


def redundancy(latents: Tensor) -> Tensor:
    """Mean squared correlation between different dimensions of latents [N, dimension, T], 0..1.

    As the covariance term of VICReg (Bardes et al. 2022): without it many dimensions say the same.
    """
    dimension = latents.shape[1]
    flat = latents.transpose(0, 1).reshape(dimension, -1)
    flat = flat - flat.mean(dim=1, keepdim=True)
    flat = flat / (flat.square().mean(dim=1, keepdim=True).sqrt() + 1e-4)
    correlation = flat @ flat.t() / flat.shape[1]
    off = correlation - torch.diag(torch.diagonal(correlation))
    return off.square().sum() / (dimension * (dimension - 1))
