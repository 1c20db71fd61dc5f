"""The generator against StyleGAN2 as its paper writes it down."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from lavlive.errors import CheckpointError
from lavlive.generator.network import Generator, GeneratorConfig, Linear, ModulatedConv, Resample
from tests.support.networks import blocks_of

torch.set_num_threads(1)


def tiny(**changes: object) -> GeneratorConfig:
    values: dict[str, object] = {
        "resolution": 32,
        "z_dim": 16,
        "w_dim": 24,
        "mapping_layers": 3,
        "channel_base": 256,
        "channel_max": 12,
    }
    return GeneratorConfig(**{**values, **changes})  # type: ignore[arg-type]


def textbook_filter(x: torch.Tensor, up: int, before: int, after: int) -> torch.Tensor:
    """Zeros between samples, padding, then the separable [1, 3, 3, 1] filter with gain up²."""
    n, c, h, w = x.shape
    spread = torch.zeros(n, c, h * up, w * up, dtype=x.dtype)
    spread[:, :, ::up, ::up] = x
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype)
    kernel = torch.outer(taps, taps)
    kernel = kernel / kernel.sum() * 4
    spread = F.pad(spread, (before, after, before, after))
    return F.conv2d(spread.reshape(-1, 1, *spread.shape[2:]), kernel[None, None]).reshape(
        n, c, spread.shape[2] - 3, spread.shape[3] - 3
    )


def textbook_layer(layer: ModulatedConv, x: torch.Tensor, w: torch.Tensor, up: bool) -> torch.Tensor:
    """Weights modulated and demodulated per picture, one picture at a time (equations 1 and 3)."""
    styles = w @ (layer.affine.weight / math.sqrt(w.shape[1])).T + layer.affine.bias
    outputs = []
    for picture, style in zip(x, styles, strict=True):
        weight = layer.weight * style[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            h, width = picture.shape[1:]
            spread = torch.zeros(1, len(picture), 2 * h - 1, 2 * width - 1, dtype=x.dtype)
            spread[0, :, ::2, ::2] = picture
            # A transposed convolution is a full convolution with the mirrored kernel.
            y = F.conv2d(spread, weight.flip(2, 3), padding=2)
            y = textbook_filter(y, 1, 1, 1)
        else:
            y = F.conv2d(picture[None], weight, padding=1)
        y = y + layer.noise_constant * layer.noise_strength + layer.bias[:, None, None]
        outputs.append(F.leaky_relu(y, 0.2) * math.sqrt(2))
    return torch.cat(outputs)


@pytest.mark.parametrize("up", [False, True])
def test_scaled_activations_equal_modulated_weights(up: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(tiny(), 6, 5, 16, up).double()
    torch.nn.init.constant_(layer.noise_strength, 0.3)
    torch.nn.init.normal_(layer.bias)
    side = 8 if up else 16
    x, w = torch.randn(3, 6, side, side).double(), torch.randn(3, 24).double()
    expected = textbook_layer(layer, x, w, up)
    assert torch.allclose(layer(x, w, 1.0, False), expected, atol=1e-9)


def test_doubling_a_picture_equals_zero_insertion_and_filtering() -> None:
    x = torch.randn(2, 3, 8, 8)
    expected = textbook_filter(x, 2, 2, 1)
    assert torch.allclose(Resample((1, 3, 3, 1)).upsample(x), expected, atol=1e-6)


def test_an_even_surface_stays_even_when_doubled() -> None:
    doubled = Resample((1, 3, 3, 1)).upsample(torch.ones(1, 1, 8, 8))
    assert torch.allclose(doubled[:, :, 2:-2, 2:-2], torch.ones(1, 1, 12, 12))


def test_the_mapping_is_the_papers() -> None:
    torch.manual_seed(1)
    mapping = Generator(tiny()).mapping
    z = torch.randn(4, 16)
    x = z / z.square().mean(1, keepdim=True).sqrt()
    for layer in mapping.layers:
        assert isinstance(layer, Linear)
        scale = 0.01 / math.sqrt(layer.weight.shape[1])
        x = F.leaky_relu(x @ (layer.weight * scale).T + layer.bias * 0.01, 0.2) * math.sqrt(2)
    assert torch.allclose(mapping(z), x, atol=1e-5)


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_every_architecture_makes_pictures_of_its_resolution(architecture: str) -> None:
    generator = Generator(tiny(architecture=architecture, class_count=3, conv_clamp=256.0))
    pictures = generator(torch.randn(2, 16), torch.tensor([0, 2]))
    assert pictures.shape == (2, 3, 32, 32)
    assert torch.isfinite(pictures).all()


def test_classes_change_the_picture() -> None:
    generator = Generator(tiny(class_count=3)).freeze()
    z = torch.randn(1, 16)
    assert not torch.allclose(generator(z, torch.tensor([0])), generator(z, torch.tensor([1])))
    assert torch.equal(generator(z), generator(z, torch.tensor([0])))


@pytest.mark.parametrize(("resolution", "layers"), [(256, 14), (1024, 18)])
def test_the_length_of_w_plus_is_stylegan2s(resolution: int, layers: int) -> None:
    config = tiny(resolution=resolution)
    assert config.num_ws == layers == len(config.layer_resolutions)
    assert config.layer_resolutions[:4] == [4, 8, 8, 16]
    assert config.layer_resolutions[-2:] == [resolution, resolution]


def test_every_entry_of_w_plus_reaches_the_picture_and_only_its_own_layers() -> None:
    """Entry l styles the l-th convolution and the picture layer of its block, and no other layer."""
    torch.manual_seed(2)
    generator = Generator(tiny()).freeze()
    heard: dict[str, torch.Tensor] = {}
    for name, module in generator.synthesis.named_modules():
        if name.endswith("affine"):
            module.register_forward_hook(lambda _, __, out, name=name: heard.update({name: out.clone()}))
    blocks = len(generator.synthesis.blocks)
    readers = {0: {"blocks.0.conv1"}, 2 * blocks - 1: {f"blocks.{blocks - 1}.to_picture"}}
    for block in range(1, blocks):
        readers[2 * block - 1] = {f"blocks.{block - 1}.to_picture", f"blocks.{block}.conv0"}
        readers[2 * block] = {f"blocks.{block}.conv1"}
    w_plus = torch.randn(1, generator.num_ws, 24)
    before, styles = generator.synthesis(w_plus), dict(heard)
    assert len(styles) == 3 * blocks - 1
    for layer in range(generator.num_ws):
        changed = w_plus.clone()
        changed[:, layer] += 1.0
        assert not torch.allclose(generator.synthesis(changed), before), layer
        moved = {
            name.removesuffix(".affine") for name in styles if not torch.equal(heard[name], styles[name])
        }
        assert moved == readers[layer], layer


def test_noise_scales_and_stands_still() -> None:
    generator = Generator(tiny())
    for block in blocks_of(generator):
        torch.nn.init.constant_(block.conv1.noise_strength, 0.5)
    w_plus = torch.randn(1, generator.num_ws, 24)
    make = generator.freeze().synthesis
    assert torch.equal(make(w_plus, 1.0), make(w_plus, torch.tensor(1.0)))
    assert not torch.allclose(make(w_plus, 0.0), make(w_plus, 1.0))


def test_freezing_changes_no_picture() -> None:
    generator = Generator(tiny())
    z = torch.randn(2, 16)
    assert torch.allclose(generator(z), generator.freeze()(z), atol=1e-6)


def test_the_clamp_bounds_activations() -> None:
    generator = Generator(tiny(conv_clamp=0.5)).freeze()
    with torch.no_grad():
        for block in blocks_of(generator):
            block.to_picture.bias.fill_(9.0)
    assert generator(torch.randn(1, 16)).max() <= 0.5 * len(generator.synthesis.blocks) * 1.5


@pytest.mark.parametrize(
    "changes",
    [{"resolution": 48}, {"resolution": 2}, {"architecture": "unet"}, {"z_dim": 0}, {"fir": (1.0, 1.0)}],
)
def test_impossible_configurations_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        tiny(**changes)
