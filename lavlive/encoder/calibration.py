"""How an encoder's latents are distributed on ordinary music: measured once, then kept.

The latents that projections and windows are set for have this mean and this covariance.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from lavlive.encoder.base import Calibration, Encoder
from lavlive.encoder.weights import write_atomically
from lavlive.errors import EncoderError
from lavlive.resources import cache_folder, shipped

__all__ = ["Calibration", "calibrate", "calibration_clip", "measure"]

_log = logging.getLogger(__name__)

CLIP_SECONDS = 20.0
_LARGEST = 64 << 20
"""Bytes; that of 128 dimensions has 66 kB."""
_WARM_UP_SECONDS = 0.5
"""Left out at the beginning: there the encoder's past is the silence before the stream."""


def calibrate(encoder: Encoder, folder: Path | None = None) -> Calibration:
    """The encoder's calibration: from its weights' file, from the cache, or measured now (about a second).

    Args:
        encoder: its stream stays as it is.
        folder: of the cache; the user's when not given.

    A cache that cannot be read is made again; one that cannot be written is done without. Raises
    EncoderError when the encoder gives no finite latents.
    """
    if encoder.info.calibration is not None:
        return encoder.info.calibration
    path_of_clip = shipped("data") / "demo.ogg"
    clip_hash = _hash_of(path_of_clip)
    try:
        path = (folder or cache_folder()) / f"calibration-{encoder.hash[:24]}-{clip_hash[:8]}.npz"
    except OSError as error:
        _log.info("no cache folder for the calibration: %s", error)
        return measure(encoder, calibration_clip(encoder.sample_rate))
    kept = _read(path, encoder.dimension) if encoder.hash else None
    if kept is not None:
        return kept
    calibration = measure(encoder, calibration_clip(encoder.sample_rate))
    if encoder.hash:
        _write(path, calibration)
    return calibration


def measure(encoder: Encoder, clip: np.ndarray) -> Calibration:
    """Mean and covariance of the latents of ``clip``, mono float32 at the encoder's rate.

    Raises EncoderError when the clip is too short or the latents are not finite.
    """
    whole = len(clip) // encoder.hop * encoder.hop
    latents = encoder.encode(np.ascontiguousarray(clip[:whole], np.float32))
    latents = latents[int(_WARM_UP_SECONDS * encoder.sample_rate / encoder.hop) :].astype(np.float64)
    if len(latents) < 2:
        raise EncoderError("the calibration clip is too short for this encoder")
    if not np.isfinite(latents).all():
        raise EncoderError(f"the encoder {encoder.name} makes latents that are not finite: unusable")
    return Calibration(
        latents.mean(axis=0).astype(np.float32),
        np.cov(latents, rowvar=False).reshape(encoder.dimension, encoder.dimension).astype(np.float32),
    )


def calibration_clip(sample_rate: int) -> np.ndarray:
    """The middle of the demo track, mono float32 [samples], at ``sample_rate`` hertz."""
    path = shipped("data") / "demo.ogg"
    try:
        with soundfile.SoundFile(path) as track:
            wanted = int(CLIP_SECONDS * track.samplerate)
            track.seek(max(0, (track.frames - wanted) // 2))
            samples = track.read(wanted, dtype="float32", always_2d=True)
            rate = track.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        raise EncoderError(f"cannot read the demo track {path} to calibrate with: {error}") from error
    return np.ascontiguousarray(soxr.resample(samples.mean(axis=1), rate, sample_rate), dtype=np.float32)


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EncoderError(f"cannot read {path}: {error.strerror or error}") from error


def _read(path: Path, dimension: int) -> Calibration | None:
    """What the cache holds, or None where it holds nothing that fits."""
    try:
        content = _content(path)
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            calibration = Calibration(archive["mean"], archive["covariance"])
    except FileNotFoundError:
        return None
    except (
        Exception
    ) as error:  # a damaged zip raises nearly anything; the measurement can always be made again
        _log.info("the calibration in %s cannot be read (%s); measuring again", path, error)
        return None
    arrays = (calibration.mean, calibration.covariance)
    fits = [a.shape for a in arrays] == [(dimension,), (dimension, dimension)]
    if not fits or not all(a.dtype == np.float32 and np.isfinite(a).all() for a in arrays):
        return None
    return calibration


def _content(path: Path) -> bytes:
    """The file's bytes. Raises ValueError when they, or what is packed in them, are more than can be."""
    with open(path, "rb") as file:
        content = file.read(_LARGEST + 1)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if max(len(content), unpacked) > _LARGEST:
        raise ValueError(f"{unpacked} bytes are no calibration")
    return content


def _write(path: Path, calibration: Calibration) -> None:
    content = io.BytesIO()
    np.savez(content, mean=calibration.mean, covariance=calibration.covariance)
    try:
        write_atomically(path, content.getvalue())
    except EncoderError as error:
        _log.info("the calibration is not kept: %s", error)
