"""Encoders of other codebases hear here what they hear there, offline and live, with a stated look-ahead."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lavlive.encoder.base import Encoder, EncoderInfo
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.layers import fold
from lavlive.encoder.offline import encode_offline
from lavlive.encoder.pieces import Pieces
from lavlive.encoder.readers.recognise import read_file
from lavlive.encoder.runners import open_encoder
from lavlive.encoder.weights import load_encoder, read_network
from lavlive.errors import CheckpointError, EncoderError
from tests.support.encoder_files import NAMES, encoder_fixture, sound, written

TOLERANCE = 1e-4  # of the latents' standard deviation
STREAMED = [name for name in NAMES if "48khz" not in name]
HEARD = 40
"""Latents from a signal's beginning within which an LSTM still remembers how it was continued before."""
AHEAD = 2386
"""Samples at 32 kHz: 3 + 1 + 2, then 4 * (1 + 2), 16 * (1 + 2), 80 * (1 + 4) and 640 * 3."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def streamed(encoder: Encoder, samples: np.ndarray, size: int) -> np.ndarray:
    stream = Pieces(encoder)
    return np.concatenate(
        [stream.step(samples[start : start + size]) for start in range(0, len(samples), size)]
    )


def assert_same(latents: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(latents - expected).max() <= TOLERANCE * expected.std()


@pytest.mark.parametrize("name", NAMES)
def test_offline_latents_are_the_references_from_end_to_end(name: str, tmp_path: Path) -> None:
    reference = encoder_fixture(name)
    network, info = read_network(written(reference, tmp_path))
    assert (info.sample_rate, network.hop) == (reference.rate, reference.hop)
    assert_same(encode_offline(network, sound(reference.rate, reference.hop), "reflect"), reference.latents)


@pytest.mark.parametrize("runner", ["torch", "onnx"])
@pytest.mark.parametrize("name", STREAMED)
def test_streamed_latents_are_the_references_away_from_the_ends(
    name: str, runner: str, tmp_path: Path
) -> None:
    reference = encoder_fixture(name)
    encoder = load_encoder(written(reference, tmp_path), runner)
    assert encoder.runner == runner
    assert encoder.lookahead == pytest.approx(AHEAD / 32_000 if reference.rate == 32_000 else 0.0)
    samples = sound(reference.rate, reference.hop)
    expected = reference.latents[HEARD : len(reference.latents) - encoder.delay]
    for size in (997, 24_000) if runner == "onnx" else (319, 997, 24_000):
        latents = streamed(encoder, samples, size)
        assert len(latents) == len(reference.latents) - encoder.delay
        assert_same(latents[HEARD:], expected)
    one_by_one = streamed(encoder, samples[: 6 * reference.hop], 1)
    np.testing.assert_allclose(
        one_by_one, latents[: len(one_by_one)], rtol=0, atol=TOLERANCE * expected.std()
    )


def test_a_latent_comes_with_the_last_sample_that_it_hears_and_no_later_one_changes_it(
    tmp_path: Path,
) -> None:
    reference = encoder_fixture("transformers-32khz")
    encoder = load_encoder(written(reference, tmp_path), "torch")
    samples = sound(32_000, 640)
    last = 20 * 640 + AHEAD  # of the twentieth latent
    stream = Pieces(encoder)
    before = stream.step(samples[: last - 1])
    assert (len(before), len(stream.step(samples[last - 1 : last]))) == (19, 1)
    given = Pieces(encoder).step(samples[:last])
    for changed in (last, last - 1):
        changes = []
        for loud in (-1e4, 1e4):
            other = samples.copy()
            other[changed:] = loud
            latents = Pieces(encoder).step(other)[:20]
            changes.append(np.abs(latents - given).max(axis=1) / given.std())
        # Rounding: the sums of another length are in another order.
        assert np.max(changes, axis=0)[:19].max() < 2e-6
        assert bool(np.max(changes, axis=0)[19] < 2e-6) is (changed == last)


@pytest.mark.parametrize(
    "shape",
    [
        {"ratios": [3, 5, 2], "kernel_size": 5, "last_kernel_size": 3, "residual_kernel_size": 4},
        {"ratios": [2, 4], "n_residual_layers": 2, "dilation_base": 3, "lstm": 0},
        {
            "ratios": [7, 2],
            "n_residual_layers": 3,
            "true_skip": True,
            "kernel_size": 1,
            "last_kernel_size": 1,
        },
    ],
)
@pytest.mark.parametrize("runner", ["torch", "onnx"])
def test_any_shape_that_hears_ahead_is_streamed_exactly(shape: dict[str, object], runner: str) -> None:
    torch.manual_seed(2)
    original = build_seanet_encoder(**{"n_filters": 4, "dimension": 6, "lstm": 1, **shape}, causal=False)
    network = fold(original)
    samples = sound(8_000, network.hop)[: 60 * network.hop]
    with torch.no_grad():
        expected = original(torch.from_numpy(samples)[None, None])[0].t().numpy()
    assert_same(encode_offline(network, samples), expected)
    encoder = open_encoder(network, EncoderInfo("other", sample_rate=8_000), runner)
    skipped = max(25, encoder.delay)
    latents = streamed(encoder, samples, 97)
    assert_same(latents[skipped:], expected[skipped : len(latents)])


def test_a_saved_state_goes_on_on_another_runner(tmp_path: Path) -> None:
    path = written(encoder_fixture("audiocraft-32khz"), tmp_path)
    first, second = load_encoder(path, "torch"), load_encoder(path, "onnx")
    samples = sound(32_000, 640)
    first.step(samples[: 20 * 640])
    second.load_state(first.save_state())
    expected = first.step(samples[20 * 640 :])
    assert_same(second.step(samples[20 * 640 :]), expected)


@pytest.mark.parametrize("name", ["transformers-48khz", "encodec-48khz"])
def test_segments_are_heard_a_second_late_and_as_the_reference_hears_them(name: str, tmp_path: Path) -> None:
    reference = encoder_fixture(name)
    encoder = load_encoder(written(reference, tmp_path))
    assert (encoder.delay, encoder.lookahead) == (149, pytest.approx(149 / 150))
    samples = np.concatenate([sound(48_000, 320), np.zeros(48_000, np.float32)])
    for size in (997, 24_000):
        latents = streamed(encoder, samples, size)
        assert_same(latents[:150], reference.latents[:150])
    assert any("both channels" in note for note in encoder.info.notes)
    with pytest.raises(Exception, match="torch only"):
        load_encoder(written(reference, tmp_path), "onnx")


def test_transformers_older_file_is_read_too(tmp_path: Path) -> None:
    reference = encoder_fixture("transformers-32khz")
    network, _ = read_network(written(reference, tmp_path, "bin") / "pytorch_model.bin")
    assert_same(encode_offline(network, sound(32_000, 640)), reference.latents)


def refusal(path: Path) -> str:
    with pytest.raises(EncoderError) as caught:
        load_encoder(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    return message


def test_what_is_no_encoder_is_refused_in_one_line(tmp_path: Path) -> None:
    reference = encoder_fixture("transformers-32khz")
    folder = written(reference, tmp_path)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.rename(folder / "model-00001-of-00002.safetensors")
    assert "config.json without weights" in refusal(folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    assert "several files (sharded)" in refusal(folder)
    weights.write_bytes(whole)
    settings = json.loads(reference.settings)
    for change, words in (
        ({"num_filters": 3}, "do not fit"),
        ({"upsampling_ratios": [8, 5, 4, 2]}, "do not fit"),
        ({"model_type": "dac"}, "not of an EnCodec"),
        ({"norm_type": "layer_norm"}, "layer_norm"),
        ({"sampling_rate": 10**400}, "sample rate"),
        ({"audio_channels": 7}, "7 channels"),
        ({"normalize": True}, "no segments"),
        ({"pad_mode": "circular"}, "padding"),
        ({"use_causal_conv": "yes"}, "causal"),
    ):
        (folder / "config.json").write_text(json.dumps({**settings, **change}))
        assert words in refusal(folder), change
    (folder / "config.json").write_text("[")
    assert "not JSON" in refusal(folder)
    assert "give bundled" in refusal(tmp_path / "nothing")


class Trap:
    """Leaves a folder when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.mkdir, (str(self.canary),)


def test_hostile_files_end_in_one_error_and_run_nothing(tmp_path: Path) -> None:
    """Sparse, quantised, complex, whole, far too large and expanded tensors, doubles, and a call."""
    canary = tmp_path / "ran"
    theirs = encoder_fixture("encodec-24khz").theirs
    first = "encoder.model.0.conv.conv.weight_v"
    length = "encoder.model.0.conv.conv.weight_g"
    path = tmp_path / "hostile.th"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(theirs[first], 0.1, 0, torch.qint8)
    for change, words in (
        ({first: Trap(canary)}, "asks Python to use posix.mkdir"),
        ({first: theirs[first].to_sparse()}, "_rebuild_sparse_tensor"),
        ({first: quantised}, "refused"),
        ({first: theirs[first].to(torch.complex64)}, "ComplexFloatStorage"),
        ({first: theirs[first].int()}, "whole numbers"),
        ({first: theirs[first].to("meta")}, "_rebuild_meta_tensor"),
        ({first: torch.zeros(1).expand(2, 1, 7)}, "lies on 1 numbers"),
        ({length: torch.ones(1, 1, 1)}, "do not fit"),
        ({first: torch.zeros(2, 1, 7)}, "zeros"),
        ({"encoder.model.0.conv.conv.bias": torch.full((2,), 1e38)}, "holds 1e+38"),
        ({"encoder.model.0.conv.conv.bias": torch.full((2,), torch.nan)}, "not finite"),
        ({"encoder.model.99.conv.conv.bias": torch.zeros(2)}, "which no encoder"),
        ({"encoder.extra": torch.zeros(2)}, "of another kind"),
    ):
        torch.save({**theirs, **change}, path)
        with pytest.raises(CheckpointError) as caught:
            read_file(path)
        assert words in str(caught.value), (words, str(caught.value))
        assert str(caught.value).isprintable()
    path.write_bytes(pickle.dumps({first: Trap(canary)}))
    assert "posix.mkdir" in refusal(path)  # through the process, as a user's file goes
    save_file({first: torch.zeros(2, 1, 7)}, tmp_path / "few.safetensors")
    assert "lacks" in refusal(tmp_path / "few.safetensors")
    assert not canary.exists()
