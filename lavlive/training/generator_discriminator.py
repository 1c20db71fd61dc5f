"""The discriminator: small convolutional heads on fixed features (Sauer et al., "Projected GANs", 2021).

    picture ──► fixed features at 5 scales ──► fixed random mixing ──► small heads ──► logits

Only the heads learn. The mixing keeps them from leaning on a few features that the generator satisfies
first. One more head looks at the picture itself, made smaller, for its colours and its layout.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from lavlive.training.generator_features import FeatureNetwork

_LEAK = 0.2
_WIDEST = 64
_SHRINK = 4


class RandomMixing(nn.Module):
    """Cross-channel and cross-scale mixing by fixed random convolutions."""

    def __init__(self, channels: list[int], widths: list[int]) -> None:
        super().__init__()
        self.across_channels = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 1, bias=False)
            for inputs, outputs in zip(channels, widths, strict=True)
        )
        below = widths[1:]
        self.across_scales = nn.ModuleList(
            nn.Conv2d(coarse, fine, 3, padding=1, bias=False)
            for fine, coarse in zip(widths[:-1], below, strict=True)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=1.0)
        self.requires_grad_(False)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Features fine to coarse → mixed features of the same sizes."""
        mixed = [conv(x) for conv, x in zip(self.across_channels, features, strict=True)]
        for scale in range(len(mixed) - 2, -1, -1):
            from_below = self.across_scales[scale](mixed[scale + 1])
            raised = F.interpolate(from_below, size=mixed[scale].shape[2:], mode="bilinear")
            mixed[scale] = (mixed[scale] + raised) * math.sqrt(0.5)
        return mixed


def _head(inputs: int, width: int, halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(halvings):
        layers += [
            spectral_norm(nn.Conv2d(inputs, width, 4, stride=2, padding=1, bias=False)),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(_LEAK),
        ]
        inputs, width = width, min(2 * width, _WIDEST)
    layers += [
        spectral_norm(nn.Conv2d(inputs, width, 3, padding=1, bias=False)),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(_LEAK),
        spectral_norm(nn.Conv2d(width, 1, 3, padding=1)),
    ]
    return nn.Sequential(*layers)


class ProjectedDiscriminator(nn.Module):
    """Heads on mixed features. ``features`` tells how many there are, and is not kept."""

    def __init__(self, features: FeatureNetwork, seed: int = 0) -> None:
        super().__init__()
        with torch.no_grad():
            channels = [tap.shape[1] for tap in features(torch.zeros(1, 3, 64, 64))]
        widths = [min(2 * count, _WIDEST) for count in channels]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.mixing = RandomMixing(channels, widths)
            self.heads = nn.ModuleList(
                _head(width, width, max(3 - scale, 0)) for scale, width in enumerate(widths)
            )
            self.heads.append(_head(3, _WIDEST // 2, 2))

    def project(self, taps: list[Tensor], pictures: Tensor) -> list[Tensor]:
        """Pictures [N, 3, H, W] in −1..1 and their features → what the heads see; no training changes it."""
        mixed: list[Tensor] = self.mixing(taps)
        return [*mixed, F.avg_pool2d(pictures, _SHRINK)]

    def forward(self, mixed: list[Tensor]) -> list[Tensor]:
        """Mixed features → one map of logits per scale."""
        return [head(x) for head, x in zip(self.heads, mixed, strict=True)]


def discriminator_loss(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Hinge loss, summed over scales."""
    losses = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(losses).sum()


def generator_loss(fake: list[Tensor]) -> Tensor:
    """The generator's side of the hinge loss, summed over scales."""
    return -torch.stack([logits.mean() for logits in fake]).sum()
