"""Every runner gives the torch runner's latents; what is missing is said, and done without where allowed."""

from __future__ import annotations

import logging
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lavlive.encoder import runners
from lavlive.encoder.base import EncoderInfo
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.layers import Network, fold
from lavlive.encoder.onnx_runner import OnnxEncoder
from lavlive.encoder.runners import open_encoder
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.errors import RunnerError

TOLERANCE = 1e-4  # of the latents' standard deviation

SHAPES: dict[str, dict[str, Any]] = {
    "encodec": {},
    "true skips": {"n_filters": 8, "true_skip": True, "lstm": 1},
    "no lstm, wide dilations": {"n_filters": 4, "n_residual_layers": 3, "lstm": 0, "dilation_base": 3},
    "other kernels": {
        "n_filters": 8,
        "dimension": 48,
        "kernel_size": 5,
        "residual_kernel_size": 5,
        "lstm": 3,
    },
    "even kernels": {"n_filters": 4, "kernel_size": 4, "last_kernel_size": 2, "residual_kernel_size": 2},
    "kernels of one": {"n_filters": 4, "kernel_size": 1, "last_kernel_size": 1, "residual_kernel_size": 1},
    "odd hop": {"n_filters": 4, "ratios": [3, 5, 7], "kernel_size": 9},
    "other alpha": {"n_filters": 4, "activation_params": {"alpha": 0.5}},
    "silu": {"n_filters": 4, "activation": "SiLU", "activation_params": {}},
    "relu": {"n_filters": 4, "activation": "ReLU", "activation_params": {}},
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seeded(shape: str) -> Network:
    torch.manual_seed(3)
    return fold(build_seanet_encoder(causal=True, norm="none", **SHAPES[shape]))


def sound(hops: int, hop: int) -> np.ndarray:
    """A falling tone in noise."""
    seconds = np.arange(hops * hop) / 24_000
    noise = np.random.default_rng(4).standard_normal(hops * hop)
    return (0.5 * np.sin(2000 * seconds**0.7) + 0.05 * noise).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_onnx_gives_the_latents_and_the_states_of_torch(shape: str):
    network = seeded(shape)
    reference, encoder = StreamingEncoder(network), OnnxEncoder(network)
    samples = sound(40, network.hop)
    expected = reference.step(samples)
    latents = np.concatenate(
        [encoder.step(samples[: 3 * network.hop]), encoder.step(samples[3 * network.hop :])]
    )
    assert latents.dtype == np.float32
    assert np.abs(latents - expected).max() <= TOLERANCE * expected.std()
    ours, theirs = encoder.save_state(), reference.save_state()
    assert list(ours) == list(theirs)
    for name, state in ours.items():
        assert state.shape == theirs[name].shape
        np.testing.assert_allclose(state, theirs[name], atol=1e-4)


def test_onnx_is_the_same_to_the_last_bit_in_any_pieces():
    network = seeded("true skips")
    encoder = OnnxEncoder(network)
    samples = sound(30, network.hop)
    whole = encoder.step(samples)
    encoder.reset()
    one_by_one = np.concatenate([encoder.step(hop) for hop in encoder.split(samples)])
    np.testing.assert_array_equal(whole, one_by_one)


def test_a_stream_moves_from_one_runner_to_another():
    network = seeded("true skips")
    samples = sound(20, network.hop)
    half = 9 * network.hop
    expected = StreamingEncoder(network).step(samples)[9:]
    before, after = StreamingEncoder(network), OnnxEncoder(network)
    before.step(samples[:half])
    after.step(samples[half:])  # something else, and an odd number of hops
    after.load_state(before.save_state())
    assert np.abs(after.step(samples[half:]) - expected).max() <= TOLERANCE * expected.std()


def test_latents_belong_to_the_caller():
    encoder = OnnxEncoder(seeded("true skips"))
    samples = sound(2, encoder.hop)
    first = encoder.step(samples[: encoder.hop])
    kept = first.copy()
    encoder.step(samples[encoder.hop :])
    np.testing.assert_array_equal(first, kept)


def test_encode_gives_the_latents_of_a_new_stream_and_leaves_the_running_one():
    encoder = OnnxEncoder(seeded("true skips"))
    samples = sound(30, encoder.hop)
    expected = encoder.step(samples)
    state = encoder.save_state()
    assert np.abs(encoder.encode(samples) - expected).max() <= TOLERANCE * expected.std()
    for name, kept in encoder.save_state().items():
        np.testing.assert_array_equal(kept, state[name])


def test_a_hop_keeps_no_memory():
    encoder = OnnxEncoder(seeded("true skips"))
    hop = sound(1, encoder.hop)
    encoder.step(hop)
    tracemalloc.start()
    try:
        kept = []
        for _ in range(4):  # what other threads of the test run keep, they keep once
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(200):
                encoder.step(hop)
            kept.append(tracemalloc.get_traced_memory()[0] - before)
        assert min(kept) < 200 * 100  # a latent has 512 bytes
    finally:
        tracemalloc.stop()


def test_silence_after_sound_stays_finite_and_settles():
    encoder = OnnxEncoder(seeded("true skips"))
    encoder.step(sound(5, encoder.hop))
    silence = np.zeros(encoder.hop, np.float32)
    latents = np.concatenate([encoder.step(silence) for _ in range(150)])
    assert np.isfinite(latents).all()
    assert np.abs(latents[-1] - latents[-2]).max() < 1e-5


@pytest.mark.parametrize("fastest", ["onnx", "torch", "cuda"])
def test_auto_takes_what_was_measured_to_be_fastest_and_keeps_the_choice(
    fastest: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    network, info = seeded("true skips"), EncoderInfo("x", hash="abc")
    timed: list[str] = []

    def seconds(encoder: StreamingEncoder) -> float:
        timed.append(encoder.runner)
        return 0.001 if encoder.runner == fastest else 0.002

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setattr(runners, "CudaEncoder", OnACard)
    monkeypatch.setattr(runners, "hop_seconds", seconds)
    for _ in range(2):
        assert open_encoder(network, info, folder=tmp_path).runner == fastest
    assert timed == ["cuda", "onnx", "torch"]
    assert open_encoder(network, replace(info, hash="another"), folder=tmp_path).runner == fastest
    assert len(timed) == 6


class OnACard(StreamingEncoder):
    """Stands for the CUDA runner where there is no card."""

    runner = "cuda"


def test_beside_a_generator_on_the_cpu_no_card_is_touched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def never(*_: object) -> None:
        raise AssertionError("the card was touched")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setattr(runners, "CudaEncoder", never)
    opened = open_encoder(seeded("true skips"), EncoderInfo("x"), device="cpu", folder=tmp_path)
    assert opened.runner in ("onnx", "torch")


def test_a_runner_is_timed_without_leaving_a_trace_in_its_stream():
    network = seeded("true skips")
    used, fresh = StreamingEncoder(network), StreamingEncoder(network)
    assert runners.hop_seconds(used, hops=3) > 0
    samples = sound(4, network.hop)
    np.testing.assert_array_equal(used.step(samples), fresh.step(samples))


def test_without_onnxruntime_auto_takes_torch_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    network = seeded("true skips")
    with caplog.at_level(logging.WARNING):
        assert open_encoder(network, EncoderInfo("x")).runner == "torch"
    assert len(caplog.records) == 1
    assert "ONNX Runtime is not here" in caplog.text
    with pytest.raises(RunnerError, match="pip install onnxruntime"):
        open_encoder(network, EncoderInfo("x"), runner="onnx")


def test_a_layer_without_an_onnx_form_falls_back_to_torch(caplog: pytest.LogCaptureFixture):
    torch.manual_seed(0)
    network = fold(build_seanet_encoder(causal=True, n_filters=4, activation="GELU", activation_params={}))
    with caplog.at_level(logging.ERROR):
        assert open_encoder(network, EncoderInfo("x")).runner in ("torch", "cuda")
    with pytest.raises(RunnerError, match="GELU"):
        open_encoder(network, EncoderInfo("x"), runner="onnx")


def test_an_unknown_runner_is_refused_with_the_choices():
    with pytest.raises(RunnerError, match="choose auto, torch, onnx, cuda"):
        open_encoder(seeded("true skips"), EncoderInfo("x"), runner="tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_asked_for_without_a_device_is_refused():
    with pytest.raises(RunnerError, match="no CUDA device"):
        open_encoder(seeded("true skips"), EncoderInfo("x"), runner="cuda")


@pytest.mark.gpu
def test_cuda_gives_the_latents_of_torch():
    network = seeded("encodec")
    samples = sound(40, network.hop)
    expected = StreamingEncoder(network).step(samples)
    encoder = open_encoder(network, EncoderInfo("x"), runner="cuda")
    for _ in range(2):
        assert np.abs(encoder.step(samples) - expected).max() <= TOLERANCE * expected.std()
        encoder.reset()
