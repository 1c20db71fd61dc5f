"""The paper's path offline, and what an encoder that looks ahead changes in a rendering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from lavlive.audio.tracks import read_track
from lavlive.encoder.calibration import Calibration
from lavlive.encoder.weights import load_encoder
from lavlive.engine.offline import latents_of, published_latents_of
from lavlive.latent.path import LatentPath
from lavlive.latent.published import centred, linear
from lavlive.parameters import Values
from tests.support.encoder_files import encoder_fixture, sound, written


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def track(tmp_path: Path) -> Path:
    path = tmp_path / "track.wav"
    soundfile.write(path, sound(32_000, 640), 32_000, subtype="FLOAT")
    return path


def mean_of_fine_steps(values: np.ndarray, length: float) -> np.ndarray:
    """The same by brute force: every step a thousand times."""
    fine = np.repeat(values, 1000, axis=0)
    means = []
    for index in range(len(values)):
        middle = (index + 0.5) * 1000
        first, last = max(0, round(middle - length * 500)), min(len(fine), round(middle + length * 500))
        means.append(fine[first:last].mean(axis=0))
    return np.stack(means)


@pytest.mark.parametrize("length", [0.3, 1.0, 1.5, 2.0, 4.6, 5.0, 40.0])
def test_a_centred_window_takes_as_much_before_as_after(length: float) -> None:
    values = np.random.default_rng(0).standard_normal((20, 3))
    np.testing.assert_allclose(
        centred(values, length), mean_of_fine_steps(values, max(length, 1.0)), atol=1e-9
    )
    impulse = np.zeros((21, 1))
    impulse[10] = 1.0
    answer = centred(impulse, min(length, 10.0))[:, 0]
    np.testing.assert_allclose(answer, answer[::-1], atol=1e-12)


def test_the_random_layer_is_torchs_with_its_bias() -> None:
    embeddings = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
    torch.manual_seed(7)
    expected = torch.nn.Linear(8, 16)(torch.from_numpy(embeddings)).detach().numpy()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    np.testing.assert_allclose(linear(embeddings, 7, 16), expected, atol=1e-6)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_published_path_gives_50_latents_a_second_with_nothing_of_ours(
    track: Path, tmp_path: Path
) -> None:
    reference = encoder_fixture("transformers-32khz")
    encoder = load_encoder(written(reference, tmp_path), "torch")
    values = Values({"mapper.y": 4, "mapper.c": 1, "smoothing.coarse": 0.5, "smoothing.fine": 0.02})
    with read_track(track) as opened:
        timed = list(published_latents_of(opened, encoder, values, 64))
    assert [round(time * 100) for time, _ in timed[:3]] == [1, 3, 5]
    latents = [latent for _, latent in timed]
    assert len(latents) == len(reference.latents) == 60
    np.testing.assert_allclose(
        [latent.embedding for latent in latents], reference.latents, atol=1e-4 * reference.latents.std()
    )
    fine = np.stack([latent.deviation[2] for latent in latents])
    np.testing.assert_allclose(fine.std(axis=0), 4.0, rtol=1e-4)  # y itself: neither limit nor adaptation
    np.testing.assert_allclose(fine.mean(axis=0), 0.0, atol=1e-4)
    coarse = np.stack([latent.deviation[0] for latent in latents])
    np.testing.assert_allclose(coarse, centred(fine.astype(np.float64), 25.0), atol=1e-4)


def test_rendered_latents_of_an_encoder_that_looks_ahead_keep_the_tracks_time(
    track: Path, tmp_path: Path
) -> None:
    encoder = load_encoder(written(encoder_fixture("transformers-32khz"), tmp_path), "torch")
    calibration = Calibration(np.zeros(8, np.float32), np.eye(8, dtype=np.float32))
    path = LatentPath(encoder, calibration, w_dim=64)
    assert path.rate == 50.0
    with read_track(track) as opened:
        timed = list(latents_of(opened, path, Values()))
    times = np.array([time for time, _ in timed])
    np.testing.assert_allclose(np.diff(times), 0.02, atol=1e-6)
    assert times[0] == pytest.approx(5 * 0.02 - encoder.lookahead, abs=1e-3)
    assert 1.18 <= times[-1] <= 1.22
