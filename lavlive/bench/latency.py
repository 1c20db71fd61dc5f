"""Sound to picture: clicks go in, and the time until the first changed picture is presented comes out.

The clicks are a track. It is played silently through the ring, aloud through the default output, or aloud
while the engine listens to an input or loopback. Either way the engine's sound ring in the link says when
each click was captured, to the sample, on the clock that the pictures' times are taken from.

The windows are set to one hop for the measurement: their delay is deliberate and reported apart.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from lavlive.audio.sources import SourceSpec, open_source
from lavlive.bench.measure import Summary
from lavlive.bench.received import Received, Seen, delay, likeness
from lavlive.bench.show import BenchShow, Shown
from lavlive.errors import LavliveError, UsageError
from lavlive.link.contents import Sound
from lavlive.link.settings import EngineSettings
from lavlive.parameters import GROUPS, ONE_HOP, Values, find
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.addresses import Stream, typed_stream
from lavlive.stage.output.takers.kinds import outlets_of
from lavlive.stage.output.takers.live_encoder import LiveSettings
from lavlive.stage.output.takers.outlets import Outlets, OutletSpec

RATE = 48_000
_LEAD_SECONDS = 2.0
_SPACING_SECONDS = 0.4
_SPREAD_SECONDS = 0.05
"""Clicks fall anywhere between the steps of hop, picture and display, as sound does."""
_CLICK_SECONDS = 0.004
_LOUD = 0.25
_PATIENCE_SECONDS = 0.35

STAGES = ("hop", "capture", "encode", "map", "wait", "generate", "hand over", "present")
"""hop: until the hop that holds the click is complete. capture: driver, ring, resampler, and waiting for
the worker. map: projection, mapping, modulation and the arithmetic of smoothing. wait: for the generator
to be free and the next picture to be due. hand over: until the stage takes the picture."""


@dataclass(frozen=True, slots=True)
class Click:
    """One click's way, seconds: each stage by name, their sum, and the moment that it was presented at."""

    stages: dict[str, float]
    total: float
    at: float


@dataclass(frozen=True)
class LatencyResults:
    """What `measure_latency` found.

    Attributes:
        route: how the clicks went in.
        clicks: those that were seen, in order.
        played: how many went in.
        summaries: by stage and in total, milliseconds.
        deliberate_ms: delay of the default windows by layer group, which is not in the total.
        received: from click to the picture at the other end of an output, milliseconds; None without one.
    """

    route: str
    clicks: list[Click]
    played: int
    summaries: dict[str, Summary]
    deliberate_ms: dict[str, float]
    received: Summary | None = None


def click_track(count: int, seed: int = 0) -> tuple[np.ndarray, list[float]]:
    """A track of clicks, mono float32 at 48 kHz, and when each begins, seconds."""
    random = np.random.default_rng(seed)
    gaps = _SPACING_SECONDS + random.uniform(0, _SPREAD_SECONDS, count)
    begins = _LEAD_SECONDS + np.cumsum(gaps) - gaps[0]
    samples = np.zeros(int((begins[-1] + 1.0) * RATE), np.float32)
    length = round(_CLICK_SECONDS * RATE)
    burst = random.uniform(-0.9, 0.9, length).astype(np.float32)
    burst[0] = 0.9
    for begin in begins:
        at = round(begin * RATE)
        samples[at : at + length] = burst
    return samples, [round(begin * RATE) / RATE for begin in begins]


class ClickFinder:
    """Finds clicks in the engine's sound, with the time at which each was captured."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def take(self, sound: Sound) -> None:
        """Look through a stretch of sound, [frames, 2]."""
        loud = np.flatnonzero(np.abs(sound.samples[:, 0]) > _LOUD)
        for index in loud:
            at = sound.captured - (len(sound.samples) - 1 - int(index)) / sound.rate
            if not self.times or at - self.times[-1] > _SPACING_SECONDS / 2:
                self.times.append(at)


def follow(click: float, shown: Sequence[Shown]) -> Click | None:
    """The way of a click through the first picture that changed by it, or None if none did.

    A picture counts as changed when it differs from the one before by far more than the pictures before
    the click did, which stand all but still in the silence between the clicks.
    """
    calm = [s.change for s in shown if click - 0.1 <= s.picture.captured < click]
    threshold = 4 * max(calm, default=0.0) + 0.05
    for candidate in shown:
        picture = candidate.picture
        if picture.captured < click or candidate.change <= threshold:
            continue
        if picture.captured > click + _PATIENCE_SECONDS:
            return None
        journey = picture.journey
        times = (
            click,
            picture.captured,
            journey.encode_began,
            journey.encoded,
            journey.latent_ready,
            journey.generate_began,
            picture.made,
            candidate.taken,
            candidate.presented,
        )
        stages = dict(zip(STAGES, np.diff(times).tolist(), strict=True))
        # When a later hop than the click's is the newest behind the picture, the click waited for it.
        waited = stages["hop"] // ONE_HOP * ONE_HOP
        stages["hop"] -= waited
        stages["wait"] += waited
        return Click(stages, candidate.presented - click, candidate.presented)
    return None


def still_values() -> Values:
    """Defaults, but windows of one hop, so that a click shows at once."""
    values = Values()
    for group in GROUPS:
        name = f"smoothing.{group}"
        values.set(name, find(name).low)
    return values


def measure_latency(
    settings: EngineSettings,
    clicks: int,
    source: SourceSpec | None = None,
    aloud: bool = False,
    output: str = "headless",
    progress: Callable[[float], None] = lambda done: None,
    away: str | None = None,
) -> LatencyResults:
    """Send ``clicks`` through a really running show.

    Args:
        source: the input or loopback that hears the clicks, played on the default output; None plays them
            straight into the engine's ring.
        aloud: without a source: through the default output, whose clock then sets the pace.
        away: an output of `received.OUTPUTS`, whose other end is watched, too.

    Raises:
        UsageError: fewer than one click, or an output that cannot be received here.
        LavliveError: the engine fails, or hears no clicks.
    """
    if clicks < 1:
        raise UsageError(f"--latency takes at least one click, not {clicks}.")
    samples, begins = click_track(clicks)
    with tempfile.TemporaryDirectory() as folder:
        track = Path(folder) / "clicks.wav"
        soundfile.write(track, samples, RATE)
        played = SourceSpec("track", str(track), aloud=aloud or source is not None, loop=False)
        settings = replace(settings, source=source or played)
        with contextlib.ExitStack() as stack:
            received, outlets = _other_end(away, stack) if away is not None else (None, None)
            show = stack.enter_context(BenchShow(settings, still_values(), output, outlets=outlets))
            if source is not None:
                show.wait_for_pictures()
            player = contextlib.nullcontext() if source is None else open_source(played)
            with player:
                heard, shown = _watch(show, clicks, begins[-1] + _LEAD_SECONDS, progress)
    found = [way for at in heard if (way := follow(at, shown)) is not None]
    if not found:
        raise LavliveError(
            f"No picture changed by a click: {len(heard)} of {clicks} were heard. "
            "For an input, connect it to the output, or use --loopback."
        )
    route = "ring" if source is None and not aloud else "output" if source is None else source.kind
    arrived = None
    if received is not None:
        assert outlets is not None
        times = [
            click.total + late
            for click in found
            if (late := delay(click.at, outlets.given, received.pictures)) is not None
        ]
        if not times:
            raise LavliveError(f"No picture that a click changed was seen at the other end of {away}.")
        arrived = Summary.of(times)
    return LatencyResults(route, found, clicks, _summaries(found), _deliberate(), arrived)


class WatchedOutlets(Outlets):
    """Outlets that note what they are given.

    Attributes:
        given: each canvas, so far.
    """

    def __init__(self, specs: Sequence[OutletSpec]) -> None:
        super().__init__(specs)
        self.given: list[Seen] = []

    def offer(self, shot: Shot) -> None:
        """Give a canvas to those who were due."""
        self.given.append(Seen(shot.time, likeness(shot.pixels)))
        super().offer(shot)


def _other_end(away: str, stack: contextlib.ExitStack) -> tuple[Received, WatchedOutlets]:
    """An output that is on, and the process that receives it."""
    name = f"lavlive bench {secrets.token_hex(3)}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{free.getsockname()[1]}"
    received = stack.enter_context(Received(away, name if away == "ndi" else address))
    stream = Stream("stream", typed_stream(address).target, LiveSettings((640, 360), 60.0, 4000))
    outlets = WatchedOutlets(outlets_of([stream], name))
    stack.callback(outlets.close)
    outlets.toggle(away)
    return received, outlets


def _watch(
    show: BenchShow, clicks: int, seconds: float, progress: Callable[[float], None]
) -> tuple[list[float], list[Shown]]:
    finder = ClickFinder()
    shown: list[Shown] = []
    position = 0
    # Loading the models comes on top where the track itself is the source.
    deadline = time.perf_counter() + seconds + 120.0
    end = deadline
    while time.perf_counter() < end:
        frame = show.step()
        if frame is not None:
            # Only times and the change are kept: a minute of pictures would fill the memory.
            shown.append(replace(frame, picture=replace(frame.picture, pixels=frame.picture.pixels[:0])))
        sound = show.link.read_sound(position)
        if sound is not None:
            position = sound.position
            finder.take(sound)
        if len(finder.times) >= clicks and end == deadline:
            end = time.perf_counter() + 1.0
        progress(min(len(finder.times) / clicks, 1.0))
    return finder.times, shown


def _summaries(clicks: Sequence[Click]) -> dict[str, Summary]:
    rows = {stage: Summary.of([click.stages[stage] for click in clicks]) for stage in STAGES}
    return {**rows, "total": Summary.of([click.total for click in clicks])}


def _deliberate() -> dict[str, float]:
    """Delay of a moving average of N hops, (N − 1) / 2 of them, in milliseconds."""
    delays = {}
    for group in GROUPS:
        hops = Values().number(f"smoothing.{group}") / ONE_HOP
        delays[group] = max(hops - 1, 0) / 2 * ONE_HOP * 1000
    return delays


def plot(results: LatencyResults, path: str) -> None:
    """Save a figure: where the time goes, and how the total is spread.

    Raises:
        UsageError: matplotlib is missing, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("--plot needs matplotlib; try: pip install 'lavlive[study]'") from error
    figure = Figure(figsize=(11, 4), layout="constrained")
    bars, spread = figure.subplots(1, 2, width_ratios=(2, 1))
    left = 0.0
    for stage in STAGES:
        median = results.summaries[stage].median
        bars.barh(0, median, left=left, label=f"{stage} {median:.1f}")
        left += median
    bars.set_yticks([])
    bars.set_xlabel("milliseconds, medians")
    bars.legend(fontsize="small", ncols=2)
    bars.set_title(f"{len(results.clicks)} clicks through the {results.route}")
    spread.hist([click.total * 1000 for click in results.clicks], bins=30)
    spread.axvline(results.summaries["total"].p95, color="black", linestyle="--")
    spread.set_xlabel("sound to picture, milliseconds (dashed: p95)")
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise UsageError(f"The plot cannot be written to {path}: {error}") from error
