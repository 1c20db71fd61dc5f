"""The latents' mean and covariance: right, quick, kept, and made again when the cache is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lavlive.encoder import calibration as module
from lavlive.encoder.base import Calibration, EncoderInfo
from lavlive.encoder.calibration import calibrate, calibration_clip, measure
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.onnx_runner import OnnxEncoder
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.errors import EncoderError


@pytest.fixture(autouse=True)
def short_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIP_SECONDS", 3.0)


def small(**known: Any) -> StreamingEncoder:
    torch.manual_seed(8)
    encoder = build_seanet_encoder(causal=True, n_filters=4, dimension=16, ratios=[8, 5, 4, 2], lstm=1)
    return StreamingEncoder(encoder, EncoderInfo(**{"name": "small", "hash": "a" * 64, **known}))


def test_it_is_the_mean_and_the_covariance_of_the_streamed_latents():
    encoder = small()
    clip = calibration_clip(24_000)
    hops = len(clip) // encoder.hop
    streamed = np.concatenate([encoder.step(hop) for hop in encoder.split(clip[: hops * encoder.hop])])[37:]
    calibration = measure(encoder, clip)
    np.testing.assert_allclose(calibration.mean, streamed.mean(axis=0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(
        calibration.covariance, np.cov(streamed.T), rtol=1e-3, atol=1e-4 * streamed.var(axis=0).max()
    )
    assert calibration.mean.dtype == calibration.covariance.dtype == np.float32


def test_the_clip_is_music_at_the_rate_asked_for():
    clip = calibration_clip(24_000)
    assert clip.dtype == np.float32
    assert len(clip) == pytest.approx(3.0 * 24_000, abs=2)
    assert 0.01 < clip.std() < 1.0


def test_it_is_measured_once_and_then_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = calibrate(small(), tmp_path)
    monkeypatch.setattr(module, "measure", lambda *_: pytest.fail("measured again"))
    second = calibrate(small(), tmp_path)
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.covariance, second.covariance)
    assert len(list(tmp_path.iterdir())) == 1


def test_other_weights_are_measured_anew(tmp_path: Path):
    calibrate(small(), tmp_path)
    calibrate(small(hash="b" * 64), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "other size", "not finite", "pickle"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: str):
    good = calibrate(small(), tmp_path)
    (path,) = tmp_path.iterdir()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_bytes(b"hello")
        case "truncated":
            path.write_bytes(path.read_bytes()[:-40])
        case "other size":
            np.savez(path, mean=np.zeros(3, np.float32), covariance=np.eye(3, dtype=np.float32))
        case "not finite":
            np.savez(path, mean=good.mean, covariance=good.covariance * np.float32("nan"))
        case "pickle":
            np.savez(path, mean=np.array([{}], dtype=object), covariance=good.covariance)
    again = calibrate(small(), tmp_path)
    np.testing.assert_array_equal(again.covariance, good.covariance)
    with np.load(path) as archive:
        np.testing.assert_array_equal(archive["mean"], good.mean)


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    assert np.isfinite(calibrate(small(), tmp_path / "file").covariance).all()


def test_what_came_with_the_weights_is_taken(tmp_path: Path):
    kept = Calibration(np.ones(16, np.float32), np.eye(16, dtype=np.float32))
    assert calibrate(small(calibration=kept), tmp_path) is kept
    assert list(tmp_path.iterdir()) == []


def test_the_running_stream_is_left_alone(tmp_path: Path):
    reference = small()
    encoder = OnnxEncoder(reference.network, replace(reference.info, hash=""))
    encoder.step(np.full(encoder.hop, 0.3, np.float32))
    state = encoder.save_state()
    calibrate(encoder, tmp_path)
    for name, kept in encoder.save_state().items():
        np.testing.assert_array_equal(kept, state[name])


def test_a_clip_without_music_in_it_is_refused():
    with pytest.raises(EncoderError, match="too short"):
        measure(small(), np.zeros(100, np.float32))
    with pytest.raises(EncoderError, match="not finite"):
        measure(small(), np.full(48_000, np.nan, np.float32))
