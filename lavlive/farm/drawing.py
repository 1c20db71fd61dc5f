"""A worker: holds the model and the shaders, and draws one group after another."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from contextvars import copy_context
from pathlib import Path

import numpy as np

from lavlive import __version__
from lavlive.control.controls import CanvasValues
from lavlive.engine.loading import load_model
from lavlive.errors import UsageError
from lavlive.farm.material import Group, Material, Part, Recipe
from lavlive.link.contents import Picture
from lavlive.parameters import Value, Values
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.isf.sound import SoundView
from lavlive.stage.canvas.slots import open_shaders
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from lavlive.stage.recording.video import VideoWriter


class Drawer:
    """Draws groups of one film.

    Raises:
        LavliveError: the model is not there, or is another one; another version of lavlive.
    """

    def __init__(self, recipe: Recipe) -> None:
        if recipe.software != __version__:
            raise UsageError(
                f"The farm's worker is lavlive {__version__}, the film's {recipe.software}: install the same."
            )
        self._recipe = recipe
        # Whoever calls, and in whichever thread: the parameters of the film's shaders are known within.
        self._context = copy_context()
        self._context.run(self._open, recipe)

    def _open(self, recipe: Recipe) -> None:
        self._opened = contextlib.ExitStack()
        self._shaders = self._opened.enter_context(open_shaders(recipe.shaders))
        self._model, notes = load_model(recipe.model, recipe.runner, aspect=recipe.aspect, fill=recipe.fill)
        if self._model.hash != recipe.model_hash:
            raise UsageError(f"{recipe.model} on the farm's worker is another model than the film's.")
        if recipe.mix is not None:
            self._model.mix_for_film(recipe.mix)
            if self._model.mixture is None or self._model.mixture.hash != recipe.mix_hash:
                raise UsageError(f"{recipe.mix} on the farm's worker is another model than the film's.")
        self._notes = tuple(notes)
        self._groups = self._model.space(0).groups
        self._values = Values(recipe.values)
        self._model.prepare_bends(self._values)

    def draw(self, group: Group) -> Part:
        """The pictures of a group, as the film has them."""
        return self._context.run(self._draw, group)

    def _draw(self, group: Group) -> Part:
        recipe = self._recipe
        before: np.ndarray | None = None
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lavlive-farm-")))
            path = folder / f"part{recipe.ending}"
            video = stack.enter_context(VideoWriter(path, *recipe.size, recipe.rate, codec=recipe.codec))
            canvas = _Canvas(stack, recipe, self._shaders, self._values)
            if group.begin > 0:
                canvas.open(self._picture(group.opening), group.opening, group.begin)
            for index, material in enumerate(group.pictures, group.begin):
                pixels = canvas.draw(index, self._picture(material), material)
                if index >= group.first:
                    video.picture(pixels)
                elif index == group.first - 1:
                    before = pixels.copy()
            last = pixels.copy()
            video.close()
            notes = (*self._notes, *canvas.notes)
            return Part(group.number, path.read_bytes(), before, last, notes)

    def close(self) -> None:
        """Let go of the model and the shaders."""
        self._model.close()
        self._context.run(self._opened.close)

    def _picture(self, material: Material) -> np.ndarray:
        pixels = self._model.buffer
        self._model.draw(material.w[self._groups], material.numbers, pixels)
        return pixels.copy()


class _Canvas:
    """The canvas of one group, from its pre-roll on."""

    def __init__(
        self, stack: contextlib.ExitStack, recipe: Recipe, shaders: ShaderLibrary, values: Values
    ) -> None:
        settings = OutputSettings(canvas=recipe.size, shaders=shaders)
        self._output = stack.enter_context(HeadlessOutput(settings))
        self._recipe = recipe
        self._values = values
        self._view = SoundView()
        self._now = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Why effects are not seen, a line each."""
        note = (self._output.note,) if self._output.note is not None else ()
        return (*note, *self._output.problems.values())

    def open(self, pixels: np.ndarray, material: Material, index: int) -> None:
        """Draw the film's first picture, with which the times of effects begin, and leap to another one."""
        self.draw(0, pixels, material)
        if self._output.rack is not None:
            self._output.rack.go_on_from(index)

    def draw(self, index: int, pixels: np.ndarray, material: Material) -> np.ndarray:
        """The canvas with a picture of the film, uint8 [H, W, 3]."""
        now = float(index / self._recipe.rate)
        if material.sound is not None:
            self._view.take(material.sound, self._recipe.sound_rate)
        self._view.step(now - self._now)
        self._now = now
        values: Mapping[str, Value] = CanvasValues(self._values, self._values, material.moved)
        self._output.present(Picture(pixels, index + 1, now, now, 0), values, now, sound=self._view)
        return self._output.read_canvas()
