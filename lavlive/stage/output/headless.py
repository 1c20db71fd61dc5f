"""An output without a display: the same canvas in OpenGL without a window, or else in memory.

Nothing is drawn until somebody reads the canvas, so a show that nobody records costs nothing here. OpenGL
comes from EGL on Linux, where Mesa draws on the processor if there is no graphics card. Where none can be
had, numpy computes the canvas by the same mathematics, without effects: that is said once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from lavlive.errors import DisplayError
from lavlive.light import to_encoded, to_linear
from lavlive.link.contents import Picture
from lavlive.parameters import Value
from lavlive.stage.canvas.canvas import Canvas
from lavlive.stage.canvas.isf.sound import SoundTextures
from lavlive.stage.canvas.limiter import COLUMNS, ROWS, FlashLimiter
from lavlive.stage.canvas.mixer import IDLE, Mix, Mixer
from lavlive.stage.canvas.offscreen import offscreen_context
from lavlive.stage.canvas.rack import Rack
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.canvas.scaling import picture_extent, scaling_matrix
from lavlive.stage.output.base import OutputEvent, OutputSettings
from lavlive.stage.output.current import current_window, make_window_current
from lavlive.stage.output.monitors import Geometry
from lavlive.stage.output.software import (
    CANVAS,
    even_within,
    interval_for,
    is_software,
    set_for_show,
    within,
)

_SAMPLES_PER_CELL = 4
_ROWS = 32
"""Lines that are worked on at a time."""
_PRODUCTS = 250_000
"""Multiplications that OpenBLAS leaves to one thread."""
_ENCODED = to_encoded(np.arange(65_536, dtype=np.float32) / 65_535)
"""sRGB of linear light in steps that are a fortieth of a picture's at the most: a power for every pixel would
cost more than all the rest."""


class MemoryCanvas:
    """The canvas of `canvas.Canvas`, computed with numpy: uint8 [H, W, 3] of a fixed size."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.held_back = 0.0
        self._mixer = Mixer()
        self.limiter = FlashLimiter()
        self._newest = IDLE.astype(np.float32) / 255.0
        self._before = self._seen = self._newest
        self._shown, self._spare = (np.zeros((size[1], size[0], 3), np.float32) for _ in range(2))
        self._pending: tuple[Mix, str, bool, float] | None = None
        self._shot: Shot | None = None

    def draw(
        self,
        picture: Picture | None,
        values: Mapping[str, Value],
        now: float,
        sound: SoundTextures | None = None,
    ) -> None:
        """Note what is to be seen at `now`; `read` draws it."""
        mix = self._mixer.step(picture, values, now)
        if mix.new is not None:
            self._before, self._newest = self._seen, mix.new.astype(np.float32) / 255.0
            if self._before.shape != self._newest.shape:
                self._before = _resized(self._before, self._newest.shape[:2])
        self._seen = self._newest
        if mix.position < 1.0:
            self._seen = self._before + np.float32(mix.position) * (self._newest - self._before)
        self._pending = mix, str(values["show.scaling"]), bool(values["show.flash_limit"]), now

    def read(self) -> np.ndarray:
        """The canvas as shown, uint8 [H, W, 3], first row on top."""
        if self._pending is not None:
            mix, scaling, limit, now = self._pending
            self._pending = None
            self._limit(self._placed(mix, scaling), limit, now)
        return _as_bytes(self._shown)

    def begin_shot(self, now: float, largest: tuple[int, int] | None) -> None:
        """Draw the canvas for `fetch_shot`."""
        pixels, size = self.read(), even_within(self.size, largest)
        self._shot = Shot(pixels if size == self.size else _resized(pixels, size[::-1]), now)

    def fetch_shot(self) -> Shot | None:
        """The canvas of the last `begin_shot`, once."""
        shot, self._shot = self._shot, None
        return shot

    def _placed(self, mix: Mix, scaling: str) -> np.ndarray:
        """What is wanted, float32 [H, W, 3], in the memory that is not shown."""
        height, width, _ = self._seen.shape
        extent = picture_extent(scaling, (width, height), self.size)
        planes = np.ascontiguousarray(self._seen.transpose(2, 1, 0)).transpose(1, 0, 2).reshape(width, -1)
        columns = np.empty((self.size[0], planes.shape[1]), np.float32)
        for band in _bands(width, self.size[0], extent[0], mix.zoom, mix.drift[0]):
            _multiply(band.matrix, planes[band.source], columns[band.target])
        lines = np.ascontiguousarray(columns.reshape(self.size[0], 3, height).transpose(2, 0, 1))
        lines = lines.reshape(height, -1)
        placed = self._spare.reshape(self.size[1], -1)
        for band in _bands(height, self.size[1], extent[1], mix.zoom, mix.drift[1]):
            part = placed[band.target]
            _multiply(band.matrix, lines[band.source], part)
            np.clip(part, 0.0, 1.0, out=part)
            if mix.light != 1.0:
                part *= np.float32(mix.light)
        return self._spare

    def _limit(self, wanted: np.ndarray, limit: bool, now: float) -> None:
        factor = self.limiter.step(_cells(wanted), now, limit)
        self.held_back = 1.0 - factor
        if factor < 1.0:
            for start in range(0, len(wanted), _ROWS):
                rows = slice(start, start + _ROWS)
                shown = to_linear(self._shown[rows])
                mixed = shown + np.float32(factor) * (to_linear(wanted[rows]) - shown)
                wanted[rows] = _ENCODED[np.rint(mixed * (len(_ENCODED) - 1)).astype(np.int32)]
        self._shown, self._spare = wanted, self._shown


@dataclass(frozen=True, slots=True)
class _Band:
    """Lines of the canvas that stand together, and the few lines of a picture that they are made of."""

    target: slice
    source: slice
    matrix: np.ndarray


@lru_cache(maxsize=8)
def _bands(source: int, target: int, extent: float, zoom: float, drift: float) -> tuple[_Band, ...]:
    """The scaling matrix in pieces without its zeros, of which it nearly consists."""
    matrix, bands = scaling_matrix(source, target, extent, zoom, drift), []
    for start in range(0, target, _ROWS):
        rows = matrix[start : start + _ROWS]
        used = np.flatnonzero(rows.any(axis=0))
        first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        piece = np.ascontiguousarray(rows[:, first:last])
        bands.append(_Band(slice(start, start + len(rows)), slice(first, last), piece))
    return tuple(bands)


def _multiply(matrix: np.ndarray, lines: np.ndarray, out: np.ndarray) -> None:
    """The product of small matrices, in parts for which no other threads are woken.

    On a busy machine products that wait for each other's halves take many times as long.
    """
    width = max(1, _PRODUCTS // matrix.size)
    for start in range(0, lines.shape[1], width):
        np.matmul(matrix, lines[:, start : start + width], out=out[:, start : start + width])


def _as_bytes(canvas: np.ndarray) -> np.ndarray:
    """uint8 of 0 to 1, a few rows at a time, which stay in the processor's cache."""
    made = np.empty(canvas.shape, np.uint8)
    for start in range(0, len(canvas), _ROWS):
        rows = slice(start, start + _ROWS)
        scaled = canvas[rows] * np.float32(255.0)
        np.rint(scaled, out=scaled)
        made[rows] = scaled
    return made


def _resized(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows = np.arange(shape[0]) * pixels.shape[0] // shape[0]
    columns = np.arange(shape[1]) * pixels.shape[1] // shape[1]
    picked: np.ndarray = pixels[rows[:, None], columns]
    return picked


def _cells(canvas: np.ndarray) -> np.ndarray:
    """Mean linear light of each cell of the limiter's grid, from evenly spread samples of the canvas."""
    height, width, _ = canvas.shape
    rows = (np.arange(ROWS * _SAMPLES_PER_CELL) + 0.5) * height / (ROWS * _SAMPLES_PER_CELL)
    columns = (np.arange(COLUMNS * _SAMPLES_PER_CELL) + 0.5) * width / (COLUMNS * _SAMPLES_PER_CELL)
    samples = to_linear(canvas[rows.astype(int)[:, None], columns.astype(int)])
    cells = samples.reshape(ROWS, _SAMPLES_PER_CELL, COLUMNS, _SAMPLES_PER_CELL, 3)
    means: np.ndarray = cells.mean(axis=(1, 3))
    return means


class _OffscreenCanvas:
    """The canvas of `canvas.Canvas` in a context of its own."""

    def __init__(self, settings: OutputSettings) -> None:
        with _without_window():
            self._context = offscreen_context()
            self.software = is_software(self._context)
            self.renderer = str(self._context.info["GL_RENDERER"])
            gives_way = settings.show and self.software
            whole = settings.width, settings.height
            self.size = settings.canvas or (within(whole, CANVAS) if gives_way else whole)
            with self._context:
                self.canvas = Canvas(self._context, self.size, settings.shaders)
                if settings.show:
                    set_for_show(self.canvas, gives_way)
        self._gives_way = gives_way
        self._took = 0.0

    @property
    def held_back(self) -> float:
        return self.canvas.held_back

    @property
    def limiter(self) -> FlashLimiter:
        return self.canvas.limiter

    def draw(
        self,
        picture: Picture | None,
        values: Mapping[str, Value],
        now: float,
        sound: SoundTextures | None = None,
    ) -> None:
        """Note what is to be seen at `now`; `read` draws it."""
        self.canvas.note(picture, values, now, sound)

    def read(self) -> np.ndarray:
        """The canvas as shown, uint8 [H, W, 3], first row on top."""
        with self._drawing():
            return self.canvas.read()

    def begin_shot(self, now: float, largest: tuple[int, int] | None) -> None:
        """Begin to read the canvas without waiting for it."""
        with self._drawing():
            self.canvas.begin_shot(now, even_within(self.size, largest))

    def fetch_shot(self) -> Shot | None:
        """The canvas of the last `begin_shot`, once."""
        if not self.canvas.shot_pending:
            return None
        with self._drawing():
            return self.canvas.fetch_shot()

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """With the context current; where drawing gives way, note how long it took."""
        began, drawn = time.perf_counter(), self.canvas.drawn
        with _without_window(), self._context:
            yield
        if self._gives_way and self.canvas.drawn != drawn:
            self._took += 0.2 * (time.perf_counter() - began - self._took)
            self.canvas.least_interval = interval_for(self._took)

    def close(self) -> None:
        """Let go of the context."""
        with _without_window():
            with self._context:
                self.canvas.close()
            self._context.release()


@contextlib.contextmanager
def _without_window() -> Iterator[None]:
    """Lay a window's OpenGL aside, such as the panel's: a thread has one of the two kinds at a time."""
    window = current_window()
    if window is not None:
        make_window_current(None)
    try:
        yield
    finally:
        if window is not None:
            make_window_current(window)


class HeadlessOutput:
    """The output ``headless``: never seen, never closed by a user.

    Without OpenGL, `note` says that effects are left out.
    """

    name = "headless"
    sign = ""
    should_close = False
    fullscreen = False
    display_rate: float | None = None
    shown = False
    mapping = None

    def __init__(self, settings: OutputSettings) -> None:
        size = settings.canvas or (settings.width, settings.height)
        self.note: str | None = None
        self._closed = False
        self._canvas: _OffscreenCanvas | MemoryCanvas
        try:
            self._canvas = _OffscreenCanvas(settings)
        except DisplayError as error:
            self.note = str(error)
            self._canvas = MemoryCanvas(size)

    @property
    def software(self) -> bool:
        """Whether the processor draws, with OpenGL or without."""
        return not isinstance(self._canvas, _OffscreenCanvas) or self._canvas.software

    @property
    def renderer(self) -> str:
        """What draws, as its driver calls it."""
        return self._canvas.renderer if isinstance(self._canvas, _OffscreenCanvas) else "numpy"

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height of the canvas in pixels."""
        return self._canvas.size

    @property
    def problems(self) -> Mapping[str, str]:
        """Why slots of the rack do not show what was chosen, a line each."""
        return self._canvas.canvas.problems if isinstance(self._canvas, _OffscreenCanvas) else {}

    @property
    def rack(self) -> Rack | None:
        """The effects; None without OpenGL."""
        return self._canvas.canvas.rack if isinstance(self._canvas, _OffscreenCanvas) else None

    @property
    def held_back(self) -> float:
        """How much of the last change the flash limiter held back, 0 to 1."""
        return self._canvas.held_back

    @property
    def limiter(self) -> FlashLimiter:
        """Holds back what would flash."""
        return self._canvas.limiter

    def present(
        self,
        picture: Picture | None,
        values: Mapping[str, Value],
        now: float,
        status: str = "",
        notice: str | None = None,
        sound: SoundTextures | None = None,
    ) -> None:
        """Take the newest picture; status and notice have nobody to read them."""
        self._canvas.draw(picture, values, now, sound)

    def begin_transition(self, seconds: float) -> None:
        """As every output; without OpenGL there are no transitions."""
        if isinstance(self._canvas, _OffscreenCanvas):
            self._canvas.canvas.begin_transition(seconds)

    def poll(self) -> list[OutputEvent]:
        """Nothing ever happens to a canvas in memory."""
        return []

    def toggle_fullscreen(self) -> None:
        """There is no screen to fill."""

    def monitors(self) -> list[str]:
        """None."""
        return []

    def fill(self, monitor: int | str) -> None:
        """There is no screen to fill."""

    @property
    def canvas_note(self) -> str:
        """It has the size that was asked for."""
        return ""

    def make_room(self, size: tuple[int, int]) -> Geometry | None:
        """Nothing is in the way."""
        return Geometry(0, 0, *size)

    def read_canvas(self) -> np.ndarray:
        """The canvas as shown, uint8 [H, W, 3], sRGB, first row on top."""
        return self._canvas.read()

    def begin_shot(self, now: float, largest: tuple[int, int] | None = None) -> None:
        """Begin to read the canvas without waiting for it, made smaller where nobody needs it so large."""
        self._canvas.begin_shot(now, largest)

    def fetch_shot(self) -> Shot | None:
        """The canvas of the last `begin_shot`, once; None where there was none."""
        return self._canvas.fetch_shot()

    def preview(self, width: int, height: int) -> np.ndarray:
        """The canvas as shown, stretched to a small size: uint8 [height, width, 3]."""
        return _resized(self._canvas.read(), (height, width))

    def close(self) -> None:
        """Let go of the context; a second call does nothing."""
        if isinstance(self._canvas, _OffscreenCanvas) and not self._closed:
            self._canvas.close()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
