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
    """Heads on mixed features. ``features`` is shared, not part of the module's state."""

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
        # In a list, so that the module does not hold it as its own.
        self._features = [features]

    @property
    def shared_features(self) -> FeatureNetwork:
        """The fixed network below the heads."""
        return self._features[0]

    def project(self, pictures: Tensor) -> list[Tensor]:
        """Pictures [N, 3, H, W] in −1..1 → what the heads see; no training of the heads changes it."""
        mixed: list[Tensor] = self.mixing(self._features[0](pictures))
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


def augment(pictures: Tensor, strength: float = 1.0) -> Tensor:
    """Differentiable augmentation (Zhao et al. 2020): brightness, saturation, contrast, shift, cutout.

    The discriminator sees real and made pictures only through it, so few pictures last longer. ``strength``
    from 0 (pictures as they are) to 1; a short training needs little, since nothing is seen often.
    """
    if strength <= 0:
        return pictures
    n, _, height, width = pictures.shape
    device = pictures.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, device=device)

    x = pictures + (uniform(n, 1, 1, 1) - 0.5) * 0.5 * strength
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (1 + (uniform(n, 1, 1, 1) - 0.5) * strength)
    level = x.mean((1, 2, 3), keepdim=True)
    x = level + (x - level) * (1 + (uniform(n, 1, 1, 1) - 0.5) * 0.5 * strength)
    # One shift for the batch would be seen through; one per picture by an index, since it is a copy only.
    reach = round(height * strength / 8)
    rows = torch.arange(height, device=device)
    dy = torch.randint(-reach, reach + 1, (n, 1), device=device)
    dx = torch.randint(-reach, reach + 1, (n, 1), device=device)
    padded = F.pad(x, (1, 1, 1, 1), value=-1.0)
    ys = (rows + dy + 1).clamp(0, height + 1)
    xs = (rows + dx + 1).clamp(0, width + 1)
    picture = torch.arange(n, device=device)
    x = padded.permute(0, 2, 3, 1)[picture[:, None, None], ys[:, :, None], xs[:, None, :]].permute(0, 3, 1, 2)
    size = height // 2
    top = torch.randint(-size // 2, height - size // 2, (n, 1), device=device)
    left = torch.randint(-size // 2, width - size // 2, (n, 1), device=device)
    in_rows = (rows >= top) & (rows < top + size)
    in_columns = (rows >= left) & (rows < left + size)
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    cut = uniform(n, 1, 1, 1) < 0.5 * strength
    return torch.where(hole & cut, 0.0, x)
