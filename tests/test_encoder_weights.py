"""Weights come in from three places, and a wrong file is refused in a line or two."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from lavlive.encoder import weights
from lavlive.encoder.base import Calibration
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.fetch import file_hash
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.encoder.weights import load_encoder, make_untrained, read_seanet_encoder, save_encoder
from lavlive.errors import EncoderError

SMALL: dict[str, Any] = {"n_filters": 4, "dimension": 24, "ratios": [4, 5], "lstm": 2, "true_skip": True}
CARD = {"trained": True, "licence": "MIT", "sample_rate": 24_000, "note": "für die Bühne"}


def small(**more: Any) -> nn.Module:
    torch.manual_seed(5)
    return build_seanet_encoder(**{**SMALL, **more}, causal=True)


def sound(hops: int, hop: int) -> np.ndarray:
    return (np.random.default_rng(6).standard_normal(hops * hop) * 0.2).astype(np.float32)


def saved(folder: Path, **more: Any) -> Path:
    path = folder / "own.safetensors"
    save_encoder(path, small(), SMALL, CARD, **more)
    return path


def rewritten(path: Path, **changes: str) -> Path:
    """The same file with other entries in its header."""
    with safe_open(path, "pt") as file:
        metadata = {**file.metadata(), **changes}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata)
    return path


def test_the_bundled_encoder_loads_and_says_whether_it_is_trained():
    encoder = load_encoder("bundled", runner="torch")
    assert (encoder.sample_rate, encoder.hop, encoder.dimension) == (24_000, 320, 128)
    assert encoder.name == "bundled"
    assert encoder.trained or "untrained" in encoder.info.title
    assert encoder.licence == "MIT"
    assert len(encoder.hash) == 64
    assert np.isfinite(encoder.step(sound(3, 320))).all()


def test_what_is_saved_is_what_loads(tmp_path: Path):
    path = saved(tmp_path, dtype=torch.float32)
    encoder = load_encoder(path, runner="torch")
    samples = sound(12, encoder.hop)
    np.testing.assert_array_equal(encoder.step(samples), StreamingEncoder(small()).step(samples))
    assert encoder.trained
    assert encoder.info.card == CARD
    assert (encoder.name, encoder.licence) == ("own.safetensors", "MIT")
    assert encoder.hash == file_hash(path)


def test_half_precision_is_the_default_and_close(tmp_path: Path):
    path = saved(tmp_path)
    encoder = load_encoder(path)
    samples = sound(12, encoder.hop)
    expected = StreamingEncoder(small()).step(samples)
    assert np.abs(encoder.step(samples) - expected).max() < 0.02 * expected.std()
    assert path.stat().st_size < 2.5 * sum(p.numel() for p in small().parameters()) + 8000


def test_a_calibration_travels_with_the_weights(tmp_path: Path):
    calibration = Calibration(np.arange(24, dtype=np.float32), np.eye(24, dtype=np.float32))
    kept = load_encoder(saved(tmp_path, calibration=calibration), runner="torch").info.calibration
    assert kept is not None
    np.testing.assert_array_equal(kept.mean, calibration.mean)
    np.testing.assert_array_equal(kept.covariance, calibration.covariance)


def test_saving_with_other_hyperparameters_is_refused_and_leaves_the_older_file(tmp_path: Path):
    path = saved(tmp_path)
    before = path.read_bytes()
    with pytest.raises(EncoderError, match="do not fit"):
        save_encoder(path, small(), {**SMALL, "lstm": 1}, CARD)
    broken = small(norm="none")
    next(broken.parameters()).data.fill_(1e9)  # more than half precision holds
    with pytest.raises(EncoderError, match="float16"):
        save_encoder(path, broken, SMALL, CARD)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_untrained_encoder_is_the_same_for_the_same_seed_and_leaves_torch_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first, second, third = (make_untrained(seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


def published_like(path: Path, **hyperparameters: Any) -> nn.Module:
    """A checkpoint as EnCodec publishes them: the whole codec's tensors, with weight norm."""
    torch.manual_seed(7)
    encoder = build_seanet_encoder(causal=True, **hyperparameters)
    content = {f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    torch.save({**content, "decoder.model.0.conv.conv.bias": torch.zeros(3)}, path)
    return encoder


def test_a_published_checkpoint_loads_with_its_weight_norm_folded(tmp_path: Path):
    original = published_like(tmp_path / "encodec.th")
    encoder = load_encoder(tmp_path / "encodec.th", runner="torch")
    samples = sound(6, 320)
    expected = StreamingEncoder(original).step(samples)
    assert np.abs(encoder.step(samples) - expected).max() <= 1e-5 * expected.std()
    assert encoder.licence == "unknown"  # by its hash it is not the published file
    module, _ = read_seanet_encoder(tmp_path / "encodec.th")
    with torch.no_grad():
        offline = module(torch.from_numpy(samples)[None, None])[0].t().numpy()
    assert np.abs(offline - expected).max() <= 1e-4 * expected.std()


def test_the_published_weights_carry_their_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "encodec_24khz-d7cc33bc.th"
    published_like(path)
    monkeypatch.setattr(weights, "encodec_path", lambda: path)
    with pytest.raises(EncoderError, match="damaged"):
        load_encoder("encodec")
    monkeypatch.setattr(weights, "ENCODEC_SHA256", file_hash(path))
    encoder = load_encoder("encodec", runner="torch")
    assert (encoder.name, encoder.licence, encoder.trained) == ("encodec", "CC BY-NC 4.0", True)


def test_encodec_before_it_is_fetched_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(weights, "encodec_path", lambda: tmp_path / "none.th")
    with pytest.raises(EncoderError, match="lavlive model fetch encodec") as caught:
        load_encoder("encodec")
    assert "CC BY-NC 4.0" in str(caught.value)
    assert str(caught.value).count("\n") <= 1


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path):
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"encoder.x": Trap()}, tmp_path / "trap.th")
    (tmp_path / "bare.th").write_bytes(pickle.dumps({"encoder.x": Trap()}))
    for name in ("trap.th", "bare.th"):
        with pytest.raises(EncoderError, match="nothing was run"):
            load_encoder(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 4000, b"PK\x03\x04" + b"x" * 100])
@pytest.mark.parametrize("suffix", [".th", ".safetensors"])
def test_a_file_that_is_no_encoder_is_refused(tmp_path: Path, suffix: str, content: bytes):
    path = tmp_path / f"wrong{suffix}"
    path.write_bytes(content)
    with pytest.raises(EncoderError) as caught:
        load_encoder(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count("\n") <= 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"model.weight": torch.zeros(2)}, "no encoder's weights"),
        ([torch.zeros(2)], "no table"),
        ({"encoder.model.0.conv.norm.weight": torch.zeros(2)}, "do not fit"),
        ({"encoder.model.0.conv.conv.bias": torch.zeros(32)}, "do not fit"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path, content: object, reason: str):
    torch.save(content, tmp_path / "other.th")
    with pytest.raises(EncoderError, match=reason):
        load_encoder(tmp_path / "other.th")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "something"}, "no encoder's weights"),
        ({"hyperparameters": "{"}, "damaged"),
        ({"hyperparameters": "[]"}, "damaged"),
        ({"hyperparameters": json.dumps({**SMALL, "n_filters": 10**9})}, "n_filters"),
        ({"hyperparameters": json.dumps({**SMALL, "n_filters": -1})}, "n_filters"),
        ({"hyperparameters": json.dumps({**SMALL, "n_filters": "4"})}, "n_filters"),
        ({"hyperparameters": json.dumps({**SMALL, "ratios": [4096, 4096]})}, "ratios"),
        ({"hyperparameters": json.dumps({**SMALL, "ratios": [0]})}, "ratios"),
        ({"hyperparameters": json.dumps({**SMALL, "compress": 0})}, "one of its sizes is 0"),
        ({"hyperparameters": json.dumps({**SMALL, "colour": 3})}, "colour"),
        ({"hyperparameters": json.dumps({**SMALL, "activation": "Module"})}, "activation"),
        ({"hyperparameters": json.dumps({**SMALL, "dimension": 25})}, "do not fit"),
        ({"card": json.dumps({"sample_rate": "fast"})}, "sample rate"),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path: Path, changes: dict[str, str], reason: str):
    path = rewritten(saved(tmp_path), **changes)
    with pytest.raises(EncoderError, match=reason) as caught:
        load_encoder(path)
    assert str(caught.value).count("\n") <= 1


def test_weights_that_are_not_finite_are_refused(tmp_path: Path):
    path = saved(tmp_path)
    tensors = load_file(path)
    tensors["model.0.conv.conv.bias"][0] = float("nan")
    save_file(
        tensors,
        path,
        {"format": weights.FORMAT, "hyperparameters": json.dumps(SMALL), "card": json.dumps(CARD)},
    )
    with pytest.raises(EncoderError, match="not finite"):
        load_encoder(path)


def test_a_truncated_file_is_refused(tmp_path: Path):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(EncoderError, match="damaged"):
        load_encoder(path)


def test_a_name_that_is_no_file_is_refused():
    with pytest.raises(EncoderError, match=r"give bundled, encodec, .* or a file"):
        load_encoder("soundstream")
