"""The rack: a generator's slot and six effects, between the picture and the flash limiter.

    picture ─► gen ─► fx1 ─► fx2 ─► … ─► fx6 ─► limiter

Each slot holds a shader, mixed with what comes in. When another shader is chosen it is compiled first; if
that fails the old one goes on and `problems` says why. Then the old one fades out and the new one in. With
every slot empty nothing is drawn.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import moderngl
import numpy as np

from lavlive.errors import ParameterError, ShaderError
from lavlive.parameters import LOADED_GROUPS, Parameter, ParameterKind, Value
from lavlive.stage.canvas.isf.document import ShaderKind
from lavlive.stage.canvas.isf.inputs import InputKind
from lavlive.stage.canvas.isf.library import NONE, ShaderLibrary
from lavlive.stage.canvas.isf.shader import OUTPUT_TYPE, Frame, Shader
from lavlive.stage.canvas.isf.sound import SoundTextures
from lavlive.stage.canvas.passes import Passes, Target
from lavlive.stage.canvas.pictures import Pictures
from lavlive.stage.canvas.slots import BLENDS, EFFECTS, GENERATOR, MAIN_IMAGES
from lavlive.stage.canvas.trials import Trials

FADE_SECONDS = 0.35
BUDGET_FRAMES = 60
_QUERIES = 4
"""A measurement is read so many frames later, when the card has long made it, so that nobody waits for it."""
_GLIDE_SECONDS = 0.05 / 3
_LONGEST_STEP = 0.25
"""Time steps of shaders are no longer, so that what moves by them does not jump after a pause."""


class _Slot:
    """One place in the rack."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.name = NONE
        self.version = 0
        self.shader: Shader | None = None
        self.drawn: moderngl.Texture | None = None
        self.level = 0.0
        self.failed: tuple[str, int] | None = None
        self.incoming: Shader | None = None
        self.incoming_name = NONE
        self.began = 0.0
        self.frames = 0
        self._glided: dict[str, float] = {}
        self._rows: list[Parameter] = []
        self._queries: list[moderngl.Query] = []
        self.seconds = 0.0
        self.measured = 0

    @contextlib.contextmanager
    def timed(self, context: moderngl.Context) -> Iterator[None]:
        """Measure what the graphics card does inside; `seconds` follows."""
        if len(self._queries) < _QUERIES:
            self._queries.append(context.query(time=True))
            query = self._queries[-1]
        else:
            query = self._queries[self.frames % _QUERIES]
            self.measured += 1
            share = 1.0 / min(self.measured, BUDGET_FRAMES)
            self.seconds += (query.elapsed * 1e-9 - self.seconds) * share
        with query:
            yield

    def values(self, values: Mapping[str, Value], elapsed: float) -> dict[str, Value]:
        """The inputs of the shader, continuous ones gliding, by what follows ``fx1.shader.``."""
        prefix = f"{self.group}.{self.name}."
        keep = math.exp(-elapsed / _GLIDE_SECONDS)
        found: dict[str, Value] = {}
        for parameter in self._rows:
            name = parameter.name.removeprefix(prefix)
            value = _value(values, parameter.name, parameter.default)
            if parameter.kind is ParameterKind.CONTINUOUS:
                target = float(value)
                before = self._glided.get(name, target)
                value = self._glided[name] = target + (before - target) * keep
            found[name] = value
        return found

    def begin(self, shader: Shader | None, name: str, version: int, now: float, anew: bool) -> None:
        """Take another shader, or another version of the same."""
        if self.shader is not None:
            self.shader.release()
        self.shader, self.name, self.version = shader, name, version
        self.drawn = None
        self._rows = shader.document.parameters(f"{self.group}.{name}") if shader is not None else []
        self.seconds, self.measured = 0.0, 0
        self._queries.clear()
        if anew:
            self.began, self.frames = now, 0
            self._glided.clear()


def _value(values: Mapping[str, Value], name: str, otherwise: Value) -> Value:
    try:
        return values[name]
    except ParameterError:  # the file changed and no longer has this input
        return otherwise


class Rack:
    """Draws in an OpenGL 3.3 context that is current in every call.

    Attributes:
        problems: by slot, why its shader is not the one that was chosen; a line each.
        budget: seconds that a shader may take, on average over `BUDGET_FRAMES`; a slower one is switched off.
        trials: tries what is chosen before it is compiled here, one for each drawing; None compiles at once.
    """

    def __init__(self, context: moderngl.Context, library: ShaderLibrary, passes: Passes) -> None:
        self._context = context
        self._library = library
        self._passes = passes
        self._slots = {group: _Slot(group) for group in LOADED_GROUPS}
        self._mixed: list[Target] = []
        self._size = (0, 0)
        self._last: float | None = None
        self.problems: dict[str, str] = {}
        self.budget = math.inf
        self.trials: Trials | None = None
        self._pictures = Pictures(context)
        self._may_compile = True

    def busy(self, values: Mapping[str, Value]) -> bool:
        """Whether anything is to be drawn."""
        return any(
            slot.shader is not None or self._has_hope(slot, str(values[f"{slot.group}.shader"]))
            for slot in self._slots.values()
        )

    def _has_hope(self, slot: _Slot, wanted: str) -> bool:
        """Whether what is wanted in a slot may compile; another choice makes a failure past."""
        if slot.failed is not None and slot.failed[0] != wanted:
            slot.failed = None
            self.problems.pop(slot.group, None)
        return wanted != NONE and slot.failed != (wanted, self._library.version(wanted))

    @property
    def image_problems(self) -> dict[str, str]:
        """Why image files that were chosen are not shown, a line each, by name."""
        return self._pictures.problems

    def shown_version(self, group: str) -> tuple[str, int]:
        """The shader at work in a slot, and which version of its file."""
        slot = self._slots[group]
        return slot.name, slot.version

    @property
    def hears(self) -> bool:
        """Whether any shader in it wants sound."""
        return any(slot.shader is not None and slot.shader.document.hears for slot in self._slots.values())

    def draw(
        self,
        picture: moderngl.Texture,
        values: Mapping[str, Value],
        now: float,
        sound: SoundTextures | None = None,
    ) -> moderngl.Texture:
        """What becomes of a picture, its first row at the bottom as in what is returned."""
        first = self._last is None
        passed = 0.0 if self._last is None else max(now - self._last, 0.0)
        elapsed = min(passed, _LONGEST_STEP)
        self._last = now
        self._may_compile = True
        self._follow_size(picture.size)
        seen, generated, target = picture, picture, 0
        for group in (GENERATOR, *EFFECTS):
            slot = self._slots[group]
            self._follow(slot, values, now, passed, first)
            if slot.shader is None or slot.level <= 0.0:
                continue
            amount = slot.level * float(values[f"{group}.mix"])
            if amount <= 0.0 and group != GENERATOR:
                continue
            drawn = self._shade(slot, seen, picture, generated, values, now, elapsed, sound)
            if group == GENERATOR:
                generated = drawn
            blend = BLENDS.index(str(values[f"{group}.blend"]))
            layer = slot.shader.document.kind is ShaderKind.GENERATOR
            if amount == 1.0 and blend == 0 and not layer:
                seen = drawn
                continue
            mixed = self._mixed[target]
            target = 1 - target
            self._passes.draw(
                "rack_mix",
                mixed.framebuffer,
                below=seen,
                above=drawn,
                amount=amount,
                blend=blend,
                layer=layer,
            )
            seen = mixed.texture
        return seen

    def go_on_from(self, frames: int) -> None:
        """Count on as if so many frames had been drawn with what is in the slots."""
        for slot in self._slots.values():
            slot.frames = frames

    def release(self) -> None:
        """Let go of all shaders."""
        if self.trials is not None:
            self.trials.close()
        self._pictures.release()
        for slot in self._slots.values():
            slot.begin(None, NONE, 0, 0.0, anew=True)

    def _follow_size(self, size: tuple[int, int]) -> None:
        if size == self._size:
            return
        for target in self._mixed:
            target.release()
        self._size = size
        self._mixed = [Target(self._context, size, OUTPUT_TYPE) for _ in range(2)]

    def _shade(
        self,
        slot: _Slot,
        seen: moderngl.Texture,
        picture: moderngl.Texture,
        generated: moderngl.Texture,
        values: Mapping[str, Value],
        now: float,
        elapsed: float,
        sound: SoundTextures | None,
    ) -> moderngl.Texture:
        assert slot.shader is not None
        sources = {"input": seen, "picture": picture, "generator": generated}
        sources |= {group: one.drawn for group, one in self._slots.items() if one.drawn is not None}
        images = {}
        for one in slot.shader.document.inputs:
            if one.kind is InputKind.IMAGE:
                images[one.name] = seen
                if one.name not in MAIN_IMAGES:
                    chosen = _value(values, f"{slot.group}.{slot.name}.{one.name}", "input")
                    own = self._pictures.texture(str(chosen), self._library.images, self.trials is None)
                    images[one.name] = own or sources.get(str(chosen), seen)
        today = time.localtime()
        seconds = today.tm_hour * 3600.0 + today.tm_min * 60.0 + today.tm_sec
        frame = Frame(
            self._size,
            now - slot.began,
            elapsed,
            slot.frames,
            (float(today.tm_year), float(today.tm_mon), float(today.tm_mday), seconds),
            slot.values(values, elapsed).__getitem__,
            images,
            sound,
        )
        with slot.timed(self._context):
            drawn = slot.drawn = slot.shader.draw(frame)
        slot.frames += 1
        return drawn

    def _follow(
        self, slot: _Slot, values: Mapping[str, Value], now: float, elapsed: float, first: bool
    ) -> None:
        """Bring a slot to what is chosen for it, a step of `elapsed` seconds further."""
        wanted = str(values[f"{slot.group}.shader"])
        if slot.measured >= BUDGET_FRAMES and slot.seconds > self.budget:
            slot.failed = slot.name, slot.version
            self.problems[slot.group] = (
                f"{slot.name} takes {slot.seconds * 1000:.1f} ms, more than {self.budget * 1000:.0f} ms: "
                f"{slot.group} is switched off until it is saved or chosen anew."
            )
            slot.begin(None, NONE, 0, now, anew=True)
        self._has_hope(slot, wanted)
        self._compile(slot, wanted, now, first)
        if slot.failed is None:
            self.problems.pop(slot.group, None)
        leaves = wanted == NONE or slot.incoming is not None
        target = 0.0 if leaves or not values[f"{slot.group}.on"] else 1.0
        step = elapsed / FADE_SECONDS
        slot.level += min(max(target - slot.level, -step), step)
        if leaves and (slot.level <= 0.0 or slot.shader is None):
            version = self._library.version(slot.incoming_name)
            slot.begin(slot.incoming, slot.incoming_name if slot.incoming else NONE, version, now, anew=True)
            slot.incoming, slot.level = None, 0.0
            if first and slot.shader is not None and values[f"{slot.group}.on"]:
                slot.level = 1.0

    def _compile(self, slot: _Slot, wanted: str, now: float, first: bool) -> None:
        """Compile what is wanted and not yet there, once for each version of its file.

        With `trials`, it is tried first; only what ships with lavlive is taken as it is when a show begins.
        """
        version = self._library.version(wanted)
        if slot.incoming is not None and slot.incoming_name != wanted:
            slot.incoming.release()
            slot.incoming = None
        current = slot.name == wanted and slot.version == version
        if wanted == NONE or current or slot.incoming is not None or slot.failed == (wanted, version):
            return
        document = self._library.document(wanted)
        try:
            if document is None:
                raise ShaderError(f"There is no shader {wanted}.")
            images: Mapping[Path, np.ndarray] = {}
            if self.trials is not None and not (first and self._library.ships(document)):
                verdict = self.trials.verdict(wanted, version, document, self._size)
                if verdict is None or not self._may_compile:
                    return
                if verdict.error is not None:
                    raise ShaderError(verdict.error)
                images, self._may_compile = verdict.images, False
            shader = Shader(self._context, document, images)
        except ShaderError as error:
            slot.failed = wanted, version
            self.problems[slot.group] = str(error)
            return
        slot.failed = None
        if slot.name == wanted:
            slot.begin(shader, wanted, version, now, anew=False)
        else:
            slot.incoming, slot.incoming_name = shader, wanted
