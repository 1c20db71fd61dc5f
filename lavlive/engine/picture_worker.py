"""The engine's picture worker: the newest latent to a picture in the link.

It owns the generator and the writing end of the picture slots. It never waits for a particular latent:
it takes the newest. Another model is loaded beside the running one, then cross-faded in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lavlive.diagnosis.picture_change import PictureChange
from lavlive.engine.governor import Governor
from lavlive.engine.latent_worker import TimedLatent
from lavlive.engine.mailbox import Mailbox
from lavlive.generator.bends import RESOLUTIONS, Bend, Bends, bends_of
from lavlive.generator.dial_files import FoundDials
from lavlive.generator.mixing import asks_for_mixture
from lavlive.generator.runner import Runner
from lavlive.generator.small_pictures import DrawSmall
from lavlive.latent.instrument import Instrument, Moment
from lavlive.latent.path import Latent
from lavlive.latent.space import Space
from lavlive.link.contents import BeatClock
from lavlive.link.keyframes import Keyframe, kept, model_key
from lavlive.link.layout import MAX_PIXELS
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import BendRefused, EngineEvent, GovernorChanged, KeyframesRefused, ModelShown
from lavlive.parameters import BEND_SLOTS, INDEX, ONE_HOP, Value

_NOISE = INDEX["generator.noise"]
_CLASS = INDEX["generator.class"]
_WAIT_SECONDS = 0.25


class Mixture(Protocol):
    """A model's layers and weights, mixed with another's.

    Attributes:
        hash: of the other one's file.
        note: what can be mixed, for the operator.
    """

    hash: str
    note: str

    def runner(self, numbers: np.ndarray) -> Runner | None:
        """What makes the pictures under the parameters' values; None for the model's own runner."""

    def stay_with_torch(self) -> None:
        """Let its pictures not depend on the time, for films."""

    def close(self) -> None:
        """Let go of its memory."""


@dataclass(slots=True)
class Model:
    """A generator that is ready to show pictures.

    Attributes:
        name: for people.
        runner: makes its pictures.
        space: its W, of a class by number.
        trained: False for a placeholder, which every place that shows it must say.
        seconds: what a picture takes, measured when it was opened.
        find_dials: finds its dials, or gives up (None) once what it is given says so; None where it has none.
        instrument: what hands do in its W.
        hash: of its file.
        resolutions: of its layers, of square pictures.
        mix_with: makes its mixture with another model's file.
        mixture: with the model that is mixed in; None without one.
        open_small: makes what draws its small pictures; None where that takes too long.
    """

    name: str
    runner: Runner
    space: Callable[[int], Space]
    trained: bool = True
    seconds: float = 0.0
    find_dials: Callable[[Callable[[], bool]], FoundDials | None] | None = None
    instrument: Instrument = field(default_factory=Instrument)
    hash: str = ""
    resolutions: Collection[int] = RESOLUTIONS
    mix_with: Callable[[str], Mixture] | None = None
    mixture: Mixture | None = None
    open_small: Callable[[], DrawSmall] | None = None
    buffer: np.ndarray = field(init=False)
    _unmixed: list[Mixture] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.buffer = np.zeros((self.runner.height, self.runner.width, 3), np.uint8)

    def picture(
        self, latent: Latent, into: np.ndarray | None = None, moment: Moment | None = None
    ) -> np.ndarray:
        """uint8 [H, W, 3] of a latent, in `into` or in a buffer that the next call fills again.

        Args:
            moment: when it will be seen, for loops; without it they stand still.
        """
        pixels = self.buffer if into is None else into
        numbers = latent.numbers
        w_plus = self.instrument.w_plus(latent.deviation, numbers, self.space, moment or Moment())
        self.draw(w_plus, numbers, pixels)
        return pixels

    def draw(self, w_plus: np.ndarray, numbers: np.ndarray, into: np.ndarray) -> None:
        """Make a picture of w+ [L, w_dim] under the parameters' present values."""
        bends = self.bends(numbers)
        runner = self.runner
        while self._unmixed:
            self._unmixed.pop().close()
        mixture = self.mixture
        if mixture is not None and asks_for_mixture(numbers):
            runner = mixture.runner(numbers) or runner
        if bends:
            runner.picture_into(w_plus, float(numbers[_NOISE]), into, bends)
        else:
            runner.picture_into(w_plus, float(numbers[_NOISE]), into)

    def mix(self, mixture: Mixture | None) -> None:
        """Be mixed with another model, or none, from the next picture on. Any thread may call it."""
        before, self.mixture = self.mixture, mixture
        if before is not None:
            self._unmixed.append(before)  # the present picture may still be made of it

    def mix_for_film(self, other: str) -> None:
        """Be mixed with another model from the next picture on; what the knobs say is always drawn alike.

        Raises:
            CheckpointError: there is no such model, or it has another shape.
        """
        if self.mix_with is not None:
            mixture = self.mix_with(other)
            mixture.stay_with_torch()
            self.mix(mixture)

    def bends(self, numbers: np.ndarray) -> Bends:
        """The bends at work that it has layers for."""
        return tuple(bend for bend in bends_of(numbers) if self.has_layers_for(bend))

    def prepare_bends(self, values: Mapping[str, Value]) -> None:
        """Have the runner ready where any bend is chosen."""
        if any(values[f"bend.{slot}.kind"] != "off" for slot in BEND_SLOTS):
            self.runner.prepare_bends()

    def has_layers_for(self, bend: Bend) -> bool:
        """Whether there are layers where it bends."""
        return any(resolution in self.resolutions for resolution in bend.resolutions)

    def close(self) -> None:
        """Let go of the runners' memory."""
        self.runner.close()
        self.mix(None)
        while self._unmixed:
            self._unmixed.pop().close()


class PictureWorker:
    """Turns the newest latent into a picture, at most `rate` times a second, until `stop`.

    Args:
        backlog: gives the latent worker's backlog in seconds, for the governor.
        tell: takes events for the stage.
        hop_seconds: of the encoder, for the governor.
    """

    def __init__(
        self,
        link: SharedBlock,
        model: Model,
        mailbox: Mailbox[TimedLatent],
        backlog: Callable[[], float],
        tell: Callable[[EngineEvent], None],
        rate: float = 60.0,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
        hop_seconds: float = ONE_HOP,
    ) -> None:
        self.tick = clock()
        self.failure: BaseException | None = None
        self.model = model
        self.space: Space | None = None
        """The W of the picture shown last."""
        self._change = PictureChange()
        self._link = link
        self._mailbox = mailbox
        self._backlog = backlog
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._governor = Governor(rate, hop_seconds)
        self._was_limiting = False
        self._incoming: Mailbox[tuple[Model, float]] = Mailbox()
        self._next_model: Model | None = None
        self._fade_began, self._fade_seconds = 0.0, 0.0
        self._due = 0.0
        self._last_made = 0.0
        self._interval = 0.0
        self._count = 0
        self._beat = BeatClock()
        self._told_bends: set[tuple[str, str]] = set()
        self._points: Mapping[str, tuple[np.ndarray, ...]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="picture worker", daemon=True)

    @property
    def picture_seconds(self) -> float:
        """What a picture takes now, of both models while one fades into the other."""
        incoming = self._next_model
        return self.model.seconds + (incoming.seconds if incoming is not None else 0.0)

    @property
    def w_dim(self) -> int:
        """The width of W that is asked for: the wider one's while one model fades into another."""
        incoming = self._next_model
        width = self.model.runner.w_dim
        return width if incoming is None else max(width, incoming.runner.w_dim)

    def start(self) -> None:
        """Begin to make pictures."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present picture."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        waiting = self._incoming.take(0)
        if waiting is not None:
            waiting[0].close()

    def swap(self, model: Model, fade_seconds: float) -> None:
        """Cross-fade to a model that is loaded and warm; the old one is closed after the fade.

        One that was to come before it and that no picture has met yet never comes: it is closed here.
        """
        never_shown = self._incoming.put((model, fade_seconds))
        if never_shown is not None:
            never_shown[0].close()

    @property
    def moment(self) -> Keyframe | None:
        """The picture shown last, to be kept; None before the first. Any thread may ask."""
        model = self.model
        w = model.instrument.shown
        return None if w is None else kept(model.hash, w)

    def use_keyframes(self, keyframes: Sequence[Keyframe]) -> None:
        """Let loops and anchors use these moments, each with its model. Any thread may call it."""
        models = {keyframe.model for keyframe in keyframes}
        self._points = {
            model: tuple(keyframe.w for keyframe in keyframes if keyframe.model == model) for model in models
        }

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.tick = self._clock()
                timed = self._mailbox.take(_WAIT_SECONDS)
                if timed is None:
                    continue
                self._pace()
                # What came while pacing is newer than what was taken before it.
                self._show(self._mailbox.take(0) or timed)
        except BaseException as failure:
            self.failure = failure

    def _pace(self) -> None:
        """Wait until the next picture is due, so that pictures are evenly spaced."""
        now = self._clock()
        rate = self._governor.step(self._backlog(), now - self._last_made if self._last_made else 0.0)
        if self._governor.limiting != self._was_limiting:
            self._was_limiting = self._governor.limiting
            self._tell(GovernorChanged(self._was_limiting, round(rate, 1)))
        if now < self._due:
            # Not an event's wait, which on Windows is 15 ms too long.
            self._sleep(self._due - now)
        self._due = max(self._due, now - 0.5 / rate) + 1.0 / rate

    def _show(self, timed: TimedLatent) -> None:
        self._begin_fade()
        started = self._clock()
        moment = self._moment_of(started + self.picture_seconds)
        for model in filter(None, (self.model, self._next_model)):
            if not model.instrument.use(self._points.get(model_key(model.hash), ()), model.runner.w_dim):
                self._tell(KeyframesRefused(f"A keyframe of {model.name} has another width of W: left out."))
            self._tell_of_bends(model, timed.latent)
        if self._next_model is None:
            runner = self.model.runner
            slot = self._link.next_slot(runner.height, runner.width)
            pixels = self.model.picture(timed.latent, slot, moment)
        else:
            pixels = self._faded(self.model.picture(timed.latent, moment=moment), timed, moment)
        self.space = self.model.space(int(timed.latent.numbers[_CLASS]))
        made = self._clock()
        journey = timed.journey._replace(generate_began=started)
        self._link.write_picture(pixels, timed.captured, made, timed.parameter_revision, journey)
        self._link.meter("picture.change")[0] = self._change.step(pixels)
        self._write_meters(started, made)

    def _begin_fade(self) -> None:
        arrived = self._incoming.take(0)
        if arrived is None:
            return
        if self._next_model is not None:
            self._finish_fade()
        self._next_model, self._fade_seconds = arrived
        self._fade_began = self._clock()

    def _tell_of_bends(self, model: Model, latent: Latent) -> None:
        """Tell, once, of bends at resolutions that a model has not."""
        for bend in bends_of(latent.numbers):
            if not model.has_layers_for(bend) and (model.name, bend.where) not in self._told_bends:
                self._told_bends.add((model.name, bend.where))
                places = " and ".join(f"{resolution}²" for resolution in bend.resolutions)
                self._tell(
                    BendRefused(
                        f"{model.name} has no layers at {places}: bend {bend.where} does nothing with it."
                    )
                )

    def _moment_of(self, time: float) -> Moment:
        """A time with its beat; of 120 a minute before the stage has told of any."""
        self._beat = self._link.read_beat() or self._beat
        return Moment(time, self._beat.at(time))

    def _faded(self, pixels: np.ndarray, timed: TimedLatent, moment: Moment) -> np.ndarray:
        assert self._next_model is not None
        share = (self._clock() - self._fade_began) / max(self._fade_seconds, 1e-6)
        incoming = self._next_model.picture(timed.latent, moment=moment)
        if share >= 1.0:
            self._finish_fade()
            return incoming
        height, width, _ = incoming.shape
        factor = max(1, len(pixels) // height)
        if height * width * factor**2 > MAX_PIXELS:  # a high one and a wide one, both very large
            factor = 1
        size = height * factor, width * factor
        return _mix(_fitted(pixels, size), _fitted(incoming, size), share)

    def _finish_fade(self) -> None:
        assert self._next_model is not None
        old, self.model, self._next_model = self.model, self._next_model, None
        old.close()
        self._tell(ModelShown(self.model.name, self.model.hash))

    def _write_meters(self, started: float, made: float) -> None:
        meter = self._link.meter
        self._count += 1
        meter("time.generate")[0] += (made - started - meter("time.generate")[0]) * 0.1
        if self._last_made:
            self._interval += (made - self._last_made - self._interval) * 0.05
            meter("picture.rate")[0] = 1.0 / max(self._interval, 1e-6)
        else:
            self._interval = 1.0 / self._governor.highest_rate
        self._last_made = made
        meter("picture.count")[0] = self._count


def _fitted(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture, as much as has the shape of `size`, in that size (height, width).

    The nearest pixel stands for each: a fade hides the blocks, and the screen is filled in the same way.
    """
    if pixels.shape[:2] == size:
        return pixels
    height, width = pixels.shape[:2]
    scale = min(height / size[0], width / size[1])
    rows, columns = (
        np.minimum(((np.arange(wanted) + 0.5 - wanted / 2) * scale + have / 2).astype(int), have - 1)
        for wanted, have in zip(size, (height, width), strict=True)
    )
    fitted: np.ndarray = pixels[rows[:, None], columns]
    return fitted


def _mix(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """(1 − share) · one + share · other in 8-bit steps, uint8 [H, W, 3]."""
    weight = round(share * 256)
    mixed = one.astype(np.uint16) * (256 - weight) + other.astype(np.uint16) * weight + 128
    return (mixed >> 8).astype(np.uint8)
