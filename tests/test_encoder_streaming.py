"""The streaming encoder equals the package's own, in whatever pieces the sound comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from torch import nn

from lavlive.encoder.encodec_package import build_seanet_encoder, encodec_modules
from lavlive.encoder.layers import fold
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.encoder.verify import pieces
from lavlive.errors import EncoderError
from lavlive.resources import shipped

TOLERANCE = 1e-4  # of the latents' standard deviation

SHAPES: dict[str, dict[str, Any]] = {
    "encodec": {},
    "small with true skips": {"n_filters": 8, "true_skip": True, "lstm": 1, "norm": "none"},
    "no lstm, two residual layers": {"n_filters": 4, "n_residual_layers": 2, "lstm": 0, "dilation_base": 3},
    "other kernels": {
        "n_filters": 8,
        "dimension": 48,
        "kernel_size": 5,
        "last_kernel_size": 3,
        "residual_kernel_size": 5,
        "compress": 4,
        "lstm": 3,
    },
    "other hop": {"n_filters": 4, "ratios": [3, 5, 2], "lstm": 1, "kernel_size": 1, "last_kernel_size": 1},
    "other activation": {"n_filters": 4, "activation": "LeakyReLU", "activation_params": {}},
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seeded(shape: str, **more: object) -> nn.Module:
    torch.manual_seed(1)
    return build_seanet_encoder(causal=True, **{**SHAPES[shape], **more})


def music(seconds: float) -> np.ndarray:
    """The beginning of the demo track, mono at 24 kHz."""
    with soundfile.SoundFile(shipped("data") / "demo.ogg") as track:
        sound = track.read(int(seconds * track.samplerate), dtype="float32", always_2d=True)
        return soxr.resample(sound.mean(axis=1), track.samplerate, 24_000).astype(np.float32)


def whole_hops(samples: np.ndarray, hop: int) -> np.ndarray:
    return samples[: len(samples) // hop * hop]


def offline(encoder: nn.Module, samples: np.ndarray, pad_mode: str = "constant") -> np.ndarray:
    for module in encoder.modules():
        if hasattr(module, "pad_mode"):
            module.pad_mode = pad_mode  # type: ignore[assignment]
    with torch.no_grad():
        return encoder(torch.from_numpy(samples)[None, None])[0].t().numpy()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["1 hop", "7 hops", "random"])
def test_any_pieces_give_the_offline_latents(shape: str, kind: str):
    original = seeded(shape)
    encoder = StreamingEncoder(original)
    samples = whole_hops(music(1.5), encoder.hop)
    expected = offline(original, samples)
    latents = np.concatenate([encoder.step(samples[cut]) for cut in pieces(len(samples), encoder.hop, kind)])
    assert latents.shape == expected.shape
    assert latents.dtype == np.float32
    assert np.abs(latents - expected).max() <= TOLERANCE * expected.std()


def test_it_equals_the_package_as_it_comes_from_hop_100_on():
    original = seeded("encodec")
    encoder = StreamingEncoder(original)
    samples = whole_hops(music(3.0), encoder.hop)
    expected = offline(original, samples, "reflect")
    latents = encoder.step(samples)
    assert np.abs(latents - expected)[100:].max() <= TOLERANCE * expected.std()
    assert np.abs(latents - expected)[0].max() > TOLERANCE * expected.std()  # the padding does matter


def test_the_future_changes_no_latent_already_given():
    encoder = StreamingEncoder(seeded("encodec"))
    first = whole_hops(music(1.0), encoder.hop)
    rng = np.random.default_rng(2)
    futures = [np.zeros(1600, np.float32), rng.standard_normal(1600).astype(np.float32)]
    given = []
    for future in futures:
        encoder.reset()
        given.append(encoder.step(np.concatenate([first, future]))[: len(first) // encoder.hop])
    np.testing.assert_array_equal(given[0], given[1])


def test_reset_begins_a_new_stream():
    encoder = StreamingEncoder(seeded("small with true skips"))
    samples = music(0.4)[: 20 * encoder.hop]
    first = encoder.step(samples)
    assert not np.array_equal(encoder.step(samples), first)
    encoder.reset()
    np.testing.assert_array_equal(encoder.step(samples), first)


def test_a_saved_state_lets_the_stream_go_on_from_there():
    encoder = StreamingEncoder(seeded("small with true skips"))
    samples = music(0.4)[: 20 * encoder.hop]
    encoder.step(samples)
    state = encoder.save_state()
    once = encoder.step(samples)
    encoder.load_state(state)
    np.testing.assert_array_equal(encoder.step(samples), once)


def test_encode_leaves_the_stream_as_it_is():
    encoder = StreamingEncoder(seeded("small with true skips"))
    samples = music(0.4)[: 20 * encoder.hop]
    encoder.step(samples)
    state = encoder.save_state()
    encoder.encode(samples)
    for name, kept in encoder.save_state().items():
        np.testing.assert_array_equal(kept, state[name])


def test_the_state_does_not_grow():
    encoder = StreamingEncoder(seeded("small with true skips"))
    places = {name: tensor.data_ptr() for name, tensor in encoder.state.tensors.items()}
    for _ in range(50):
        encoder.step(np.zeros(encoder.hop, np.float32))
    assert {name: tensor.data_ptr() for name, tensor in encoder.state.tensors.items()} == places


def test_training_further_changes_nothing_here():
    original = seeded("small with true skips", norm="weight_norm")
    encoder = StreamingEncoder(original)
    samples = music(0.1)[: 4 * encoder.hop]
    before = encoder.step(samples)
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.mul_(1.5)
    encoder.reset()
    np.testing.assert_array_equal(encoder.step(samples), before)
    # A copy made now has the new weights, although no forward pass has refreshed the weight norm.
    renewed = StreamingEncoder(original)
    expected = offline(original, samples)
    assert np.abs(renewed.step(samples) - expected).max() <= TOLERANCE * expected.std()


def test_no_samples_give_no_latents():
    encoder = StreamingEncoder(seeded("small with true skips"))
    assert encoder.step(np.zeros(0, np.float32)).shape == (0, encoder.dimension)


@pytest.mark.parametrize(
    "samples", [np.zeros(319, np.float32), np.zeros((2, 320), np.float32), np.zeros(320, np.float64)]
)
def test_samples_that_are_no_whole_hops_are_refused(samples: np.ndarray):
    encoder = StreamingEncoder(seeded("small with true skips"))
    with pytest.raises(ValueError, match=r"float32 \[n·320\]"):
        encoder.step(samples)


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        ({"causal": False, "norm": "time_group_norm"}, "needs segments"),
        ({"causal": True, "norm": "spectral_norm"}, "spectral_norm"),
        ({"causal": True, "norm": "layer_norm"}, "layer_norm"),
    ],
)
def test_an_encoder_that_cannot_stream_is_refused(hyperparameters: dict[str, object], reason: str):
    with pytest.raises(EncoderError, match=reason):
        fold(build_seanet_encoder(n_filters=4, **hyperparameters))


def test_a_stereo_encoder_hears_mono_sound_in_both_channels():
    torch.manual_seed(3)
    original = build_seanet_encoder(causal=True, channels=2, n_filters=4, lstm=1, norm="none")
    encoder = StreamingEncoder(original)
    samples = whole_hops(music(0.5), encoder.hop)
    for module in original.modules():
        if hasattr(module, "pad_mode"):
            module.pad_mode = "constant"  # type: ignore[assignment]
    with torch.no_grad():
        expected = original(torch.from_numpy(samples).expand(1, 2, -1))[0].t().numpy()
    assert np.abs(encoder.step(samples) - expected).max() <= TOLERANCE * expected.std()


def test_another_module_is_refused():
    with pytest.raises(EncoderError, match="no SEANetEncoder"):
        fold(nn.Linear(2, 2))


def test_encodec_is_imported_without_torchaudio_and_nobody_is_left_with_a_fake():
    encodec_modules()
    stand_in = sys.modules.get("torchaudio")
    assert stand_in is None or stand_in.__spec__ is not None


def test_the_stand_in_gives_way_to_the_real_torchaudio(tmp_path: Path):
    """In a fresh interpreter, with a torchaudio that works."""
    (tmp_path / "torchaudio.py").write_text("transforms = 'the real one'\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from lavlive.encoder.encodec_package import encodec_modules\n"
        "encodec_modules()\n"
        "assert 'torchaudio' not in sys.modules\n"
        "import encodec.utils\n"
        "assert encodec.utils.torchaudio.transforms == 'the real one'\n"
        "import torchaudio\n"
        "assert torchaudio.transforms == 'the real one' and torchaudio.__spec__ is not None\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(tmp_path)], check=True, timeout=120)
