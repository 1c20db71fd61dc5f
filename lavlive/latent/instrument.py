"""What hands do in one model's W, on top of what sound asks for.

    deviation a [3, w_dim] ─► + dials ─► limit ─► around the anchor ─► mixed with the loop ─► w+ [L, w_dim]

    m = W_mean + anchor.amount · (anchor − W_mean)                         what sound moves around
    w = (1 − l) · (m + ψ · W_std ⊙ (a + d)) + l · (loop + ψ · W_std ⊙ d)   l: loop.amount of a group, d: dials

What a hand points to, an anchor or a keyframe, is shown as it was kept, whatever ψ is; ψ holds back sound and
dials. It belongs to a model and not to the latent path: its directions and keyframes mean nothing in another
model's W, and while one model fades into the next each has its own. Where no hand does anything, w+ is bit
for bit what it is without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lavlive.latent.limit import held_back, spread_of
from lavlive.latent.loop import Turning, noise_loop, walked
from lavlive.latent.space import Space, fitted
from lavlive.parameters import DIALS_PER_GROUP, GROUPS, INDEX, find

_DIALS = np.array([[INDEX[f"dial.{g}.{n + 1}"] for n in range(DIALS_PER_GROUP)] for g in GROUPS])
_TRUNCATION, _CLASS = INDEX["generator.truncation"], INDEX["generator.class"]
_ANCHOR, _KIND, _NUMBER, _GLIDE = (INDEX[f"anchor.{name}"] for name in ("amount", "kind", "number", "glide"))
_LOOP = np.array([INDEX[f"loop.amount.{group}"] for group in GROUPS])
_CHOICES = {name: find(f"loop.{name}") for name in ("clock", "beats", "way", "curve")}
_SECONDS, _NOISE, _NOISE_SECONDS = (INDEX[f"loop.{name}"] for name in ("seconds", "noise", "noise_seconds"))
_KINDS = find("anchor.kind").choices
_REMEMBERED = 64
"""Random anchors."""
_SETTLED = 3.0
"""Time constants after which a glide is 95 % done."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a picture will be seen.

    Attributes:
        time: in seconds of any clock that runs evenly.
        beat: quarter notes since a bar began.
    """

    time: float = 0.0
    beat: float = 0.0


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a picture was made of: w of its groups, or what that comes from."""

    numbers: np.ndarray
    truncation: float = 1.0
    space: Space | None = None


class Instrument:
    """The hands of one model. The picture worker's, but for `dials`, which another thread may put in place.

    Args:
        random_w: gives w [w_dim] of a random z, by its number and class.

    Attributes:
        dials: float32 [3, 8, w_dim], what one unit of each dial adds to w; None until they are known.
        points: the keyframes of this model, float32 [3, w_dim] each.
    """

    def __init__(self, random_w: Callable[[int, int], np.ndarray] | None = None) -> None:
        self.dials: np.ndarray | None = None
        self.points: Sequence[np.ndarray] = ()
        self._given: tuple[np.ndarray, ...] = ()
        self._shown: _Shown | None = None
        self._random_w = random_w
        self._anchor: np.ndarray | None = None
        self._chosen: tuple[str, int] | None = None
        self._random: dict[tuple[int, int], np.ndarray] = {}
        self._time: float | None = None
        self._turning, self._noise_turning = Turning(), Turning()

    def use(self, points: tuple[np.ndarray, ...], w_dim: int) -> bool:
        """Go by these keyframes, float32 [3, w] each; False where one has another width, and is left out.

        The same tuple again costs nothing and is True.
        """
        if points is self._given:
            return True
        self._given = points
        self.points = [point for point in points if point.shape[1] == w_dim]
        return len(self.points) == len(points)

    def w_plus(
        self,
        deviation: np.ndarray,
        numbers: np.ndarray,
        space_of: Callable[[int], Space],
        moment: Moment = Moment(),
    ) -> np.ndarray:
        """w+ [L, w_dim], float32, of the groups' deviations under the parameters' present values.

        Args:
            deviation: [3, w], in W_std, of any width.
            numbers: of all parameters, in the table's order.
            space_of: gives the model's W of a class.
            moment: when the picture will be seen.
        """
        space = space_of(int(numbers[_CLASS]))
        truncation = float(numbers[_TRUNCATION])
        turned, looped, anchored = numbers[_DIALS], numbers[_LOOP], float(numbers[_ANCHOR])
        dials = self.dials if turned.any() else None
        if anchored <= 0:
            self._anchor = self._chosen = None
        if dials is None and anchored <= 0 and not looped.any():
            self._shown = _Shown(deviation, truncation, space)
            return space.w_plus(deviation, truncation)
        moved = fitted(deviation, len(space.mean))
        added: np.ndarray | float = 0.0
        if dials is not None:
            added = (turned[:, None, :] @ dials)[:, 0] / np.where(space.std > 0, space.std, 1.0)
            moved = held_back(moved + added, spread_of(moved + added))
        middle = self._middle(numbers, space, space_of, anchored, moment.time)
        w = middle + truncation * space.std * moved
        if looped.any():
            loop = self._loop(numbers, space, middle, moment) + truncation * space.std * added
            w = w + looped[:, None] * (loop - w)
        self._shown = _Shown(w)
        layers: np.ndarray = w.astype(np.float32)[space.groups]
        return layers

    @property
    def shown(self) -> np.ndarray | None:
        """w of the last picture's layer groups, float [3, w_dim], for any thread; None before the first."""
        shown = self._shown
        if shown is None or shown.space is None:
            return None if shown is None else shown.numbers
        space = shown.space
        w: np.ndarray = space.mean + shown.truncation * space.std * fitted(shown.numbers, len(space.mean))
        return w

    def _middle(
        self,
        numbers: np.ndarray,
        space: Space,
        space_of: Callable[[int], Space],
        amount: float,
        time: float,
    ) -> np.ndarray:
        """What sound moves around, float [3, w_dim]: W's mean, or so much of the anchor as is asked for."""
        elapsed = 0.0 if self._time is None else max(time - self._time, 0.0)
        self._time = time
        mean = np.repeat(space.mean[None], len(GROUPS), axis=0)
        if amount <= 0:
            return mean
        kind = _KINDS[round(numbers[_KIND])]
        wanted = self._point(kind, int(numbers[_NUMBER]), int(numbers[_CLASS]), space_of, mean)
        if self._anchor is None or self._anchor.shape != wanted.shape:
            self._anchor = wanted
        else:
            seconds = float(numbers[_GLIDE])
            keep = math.exp(-_SETTLED * elapsed / seconds) if seconds > 0 else 0.0
            self._anchor = wanted + keep * (self._anchor - wanted)
        held: np.ndarray = mean + amount * (self._anchor - mean)
        return held

    def _point(
        self, kind: str, number: int, class_index: int, space_of: Callable[[int], Space], mean: np.ndarray
    ) -> np.ndarray:
        """The anchor that was chosen, float [3, w_dim]; W's mean where this model has none such."""
        match kind:
            case "keyframe" if self.points:
                return self.points[min(max(number, 1), len(self.points)) - 1]
            case "class":
                return np.repeat(space_of(number).mean[None], len(GROUPS), axis=0)
            case "random" if self._random_w is not None:
                key = number, class_index
                if key not in self._random:
                    if len(self._random) >= _REMEMBERED:
                        self._random.clear()
                    self._random[key] = self._random_w(number, class_index)
                return np.repeat(self._random[key][None], len(GROUPS), axis=0)
        return mean

    def _loop(self, numbers: np.ndarray, space: Space, middle: np.ndarray, moment: Moment) -> np.ndarray:
        """Where the loop stands, float [3, w_dim]."""
        chosen = {name: p.choices[round(numbers[INDEX[p.name]])] for name, p in _CHOICES.items()}
        seconds = self._turning.at(moment.time, float(numbers[_SECONDS]))
        phase = moment.beat / float(chosen["beats"]) if chosen["clock"] == "beats" else seconds
        place = middle
        if self.points:
            scale = np.where(space.std > 0, space.std, 1.0)
            ways = [(point - space.mean) / scale for point in self.points]
            place = space.mean + scale * walked(ways, phase, chosen["way"], chosen["curve"])
        noise_phase = self._noise_turning.at(moment.time, float(numbers[_NOISE_SECONDS]))
        if radius := float(numbers[_NOISE]):
            place = place + space.std * noise_loop(noise_phase, radius, len(space.mean))
        return place
