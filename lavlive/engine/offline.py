"""A track's hops and latents without a clock, through the same path as the show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import soxr

from lavlive.audio.channels import ALL, Pick
from lavlive.audio.condition import OPPOSITE
from lavlive.audio.hops import Hop, HopCutter
from lavlive.audio.tracks import Track
from lavlive.encoder.base import Encoder
from lavlive.errors import UsageError
from lavlive.latent.features import FeatureExtractor
from lavlive.latent.path import Latent, LatentPath
from lavlive.latent.published import published_latents
from lavlive.parameters import Values

_BLOCK_SECONDS = 0.02


def hops_of(
    track: Track,
    encoder: Encoder,
    values: Values | None = None,
    channels: str | None = None,
    notice: Callable[[str], object] = lambda _: None,
) -> Iterator[Hop]:
    """A track in the steps of an encoder.

    Args:
        values: its gains and channels are in force; without them, none and all.
        channels: which ones to hear where the parameters leave it to the source.
        notice: is given a line about sound that is not heard as it is.

    Raises:
        UsageError: the track has not so many channels.
    """
    cutter = HopCutter(encoder.hop, encoder.sample_rate)
    asked = "source" if values is None else str(values["audio.channels"])
    pick = Pick.parse(asked) if asked != "source" else ALL if channels is None else Pick.parse(channels)
    if pick.needs > track.channels:
        raise UsageError(f"{track.name} has {track.channels} channels; there is no channel {pick.needs}.")
    mix = pick.mix(track.layout, track.channels)
    told = False
    for block in track.blocks(max(1, round(track.rate * _BLOCK_SECONDS))):
        if values is not None:
            cutter.level.gain = values.number("audio.gain")
            cutter.level.automatic = bool(values["audio.auto_gain"])
        yield from cutter.step(replace(block, mix=mix))
        if cutter.lamps.opposite and not told:
            told = True
            notice(f"{track.name}: {OPPOSITE}")
    yield from cutter.flush()


def latents_of(
    track: Track,
    path: LatentPath,
    values: Values,
    channels: str | None = None,
    notice: Callable[[str], object] = lambda _: None,
    numbers: Callable[[float, Latent | None], np.ndarray] | None = None,
) -> Iterator[tuple[float, Latent]]:
    """Every hop's latent with the time, in seconds from the track's start, of the newest of its own samples.

    Of an encoder that hears ahead the latents of the silence before the track are left out, and silence
    follows the track until its last ones have come. The other arguments are those of `hops_of`.

    Args:
        numbers: the parameters at a time, from the latent before; the values as they are, if not given.
    """
    encoder = path.encoder
    ended = 0.0
    latent: Latent | None = None
    at = numbers or (lambda time, before: values.numbers)
    for hop in hops_of(track, encoder, values, channels, notice):
        latent = path.step(hop.samples, at(hop.time, latent))
        ended = hop.time
        if latent.hop >= encoder.delay:
            yield ended - encoder.lookahead, latent
    for late in range(1, encoder.delay + 1):
        latent = path.step(np.zeros(encoder.hop, np.float32), at(ended, latent))
        yield ended + late * encoder.hop / encoder.sample_rate - encoder.lookahead, latent


def published_latents_of(
    track: Track, encoder: Encoder, values: Values, w_dim: int
) -> Iterator[tuple[float, Latent]]:
    """A track's latents as the paper makes them, with the times of their middles."""
    # The sound as it is: the show's conditioning and gains are ours.
    mono = np.concatenate([block.mixed().mean(axis=1) for block in track.blocks()])
    sound = soxr.resample(mono, track.rate, encoder.sample_rate).astype(np.float32)
    sound = np.pad(sound, (0, -len(sound) % encoder.hop))
    hops = sound.reshape(-1, encoder.hop)
    seconds = encoder.hop / encoder.sample_rate
    embeddings = encoder.encode(sound)
    listener = FeatureExtractor(encoder.sample_rate, encoder.hop)
    latents = published_latents(embeddings, values.numbers, 1 / seconds, w_dim, iter(hops), listener)
    for latent in latents:
        yield (latent.hop + 0.5) * seconds, latent


class Clip:
    """Latents in their order, asked for by time."""

    def __init__(self, latents: Iterator[tuple[float, Latent]]) -> None:
        self._latents = latents
        first = next(latents, None)
        if first is None:
            raise UsageError("The track is shorter than one step of the encoder (14 ms).")
        self._newest = first[1]
        self._next = next(latents, None)

    def newest(self, until: float) -> Latent:
        """The newest latent that heard nothing after `until`; the first one before that."""
        while self._next is not None and self._next[0] <= until:
            self._newest = self._next[1]
            self._next = next(self._latents, None)
        return self._newest

    def finish(self) -> None:
        """Run the rest of the path."""
        for _ in self._latents:
            pass
