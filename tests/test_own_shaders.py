"""Our own shaders draw what their descriptions say, and do not jump when a speed changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import moderngl
import numpy as np
import pytest

from lavlive.parameters import Value
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.document import read_document
from lavlive.stage.canvas.isf.shader import Frame, Shader
from tests.support.offscreen import offscreen, pixels

SIZE = WIDTH, HEIGHT = 96, 54
LATE = 3600.0
RATE = 30.0
Drawn = Callable[..., list[np.ndarray]]


@pytest.fixture(scope="module")
def context() -> Iterator[moderngl.Context]:
    with offscreen() as opened:
        yield opened


@pytest.fixture(scope="module")
def drawn(context: moderngl.Context) -> Iterator[Drawn]:
    made: dict[str, Shader] = {}  # compiling takes longest

    def draw(name: str, image: np.ndarray, *steps: dict[str, Value]) -> list[np.ndarray]:
        """One picture for each of `steps`, inputs by name, late in a show: [H, W, 3], bottom row first."""
        document = read_document(shipped("shaders") / "isf" / f"{name}.fs")
        defaults = {row.name.removeprefix("x."): row.default for row in document.parameters("x")}
        texture = context.texture(SIZE, 3, image.astype(np.float32).tobytes(), dtype="f4")
        texture.repeat_x = texture.repeat_y = False
        if name not in made:
            made[name] = Shader(context, document)
        found = []
        for index, step in enumerate(steps):
            values = {**defaults, **step}
            images = {one.name: texture for one in document.inputs if one.name == "inputImage"}
            date = (2026.0, 5.0, 4.0, 60.0)
            frame = Frame(SIZE, LATE + index / RATE, 1 / RATE, index, date, values.__getitem__, images)
            found.append(pixels(made[name].draw(frame))[..., :3].astype(float))
        texture.release()
        return found

    yield draw
    for shader in made.values():
        shader.release()


def place() -> tuple[np.ndarray, np.ndarray]:
    """x and y of each pixel, 0 to 1."""
    x, y = np.meshgrid((np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(HEIGHT) + 0.5) / HEIGHT)
    return x, y


def hills() -> np.ndarray:
    """A smooth picture, other at every place."""
    x, y = place()
    waves = [np.sin(7 * x + 3 * y), np.cos(9 * y - 4 * x), np.sin(5 * (x + y) + 1)]
    return 0.5 + 0.45 * np.stack(waves, axis=-1)


def flat(level: float) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), level)


@pytest.mark.parametrize(
    ("name", "speed"),
    [
        ("contours", "drift"),
        ("kaleidoscope", "spin"),
        ("flow", "speed"),
        ("facets", "restless"),
        ("tunnel", "speed"),
        ("silk", "speed"),
        ("nebula", "speed"),
    ],
)
def test_late_in_a_show_a_speed_changes_without_a_jump(drawn: Drawn, name: str, speed: str) -> None:
    slow, fast = {speed: 0.2}, {speed: 0.233}
    *before, last, after = drawn(name, hills(), *[slow] * 8, fast)
    settled = [*before[4:], last]
    usual = max(np.abs(one - other).mean() for one, other in pairwise(settled))
    assert 0 < np.abs(after - last).mean() < 2 * usual + 1e-3


def test_cut_paper_is_so_many_sheets_that_cast_their_shadows_away_from_the_light(drawn: Drawn) -> None:
    ramp = np.repeat((place()[0] ** 2)[..., None], 3, axis=-1)  # heights are roots of light
    plain: dict[str, Value] = {"sheets": 5.0, "colour": 0.0, "fibre": 0.0, "shadow": 0.5}
    (no_shadow,) = drawn("papercut", ramp, {**plain, "angle": 1.0})
    (shadow,) = drawn("papercut", ramp, {**plain, "angle": 0.0})
    levels, counts = np.unique(no_shadow[HEIGHT // 2, :, 0].round(3), return_counts=True)
    assert len(levels[counts >= 8]) == 5
    assert (np.diff(no_shadow[HEIGHT // 2, :, 0]) > -0.1).all()
    darker = no_shadow - shadow
    assert darker.min() > -0.01
    assert darker.max() > 0.2


def test_a_flat_picture_bends_no_mirrored_lamp_and_a_hill_does(drawn: Drawn) -> None:
    steel: dict[str, Value] = {"waves": 0.0, "tint": 0.0, "depth": 1.0}
    (dark,), (bright,), (hill,) = (drawn("chrome", one, steel) for one in (flat(0.2), flat(0.4), hills()))
    assert np.ptp(dark) > 0.3  # flat parts mirror, too
    assert np.ptp(bright - dark, axis=(0, 1)).max() < 0.01
    assert np.abs(hill - dark).mean() > 0.1


@pytest.mark.parametrize("around", ["1", "2", "3", "12"])
def test_a_tunnel_has_no_seam(drawn: Drawn, around: str) -> None:
    (image,) = drawn("tunnel", hills(), {"around": around, "twist": 0.3, "speed": 0.0})
    steps = np.abs(np.diff(image, axis=0)).mean(axis=-1)  # from row to row
    left = steps[:, : WIDTH // 3]
    seam = left[HEIGHT // 2 - 1]
    assert seam.max() <= left.max(axis=0).max() * 1.01
    assert seam.mean() < 2 * left.mean() + 0.01


def test_pieces_of_leaded_glass_are_of_one_colour_or_a_lens_each(drawn: Drawn) -> None:
    bare: dict[str, Value] = {"pieces": 4.0, "lead": 0.0, "bevel": 0.0, "apart": 0.0, "restless": 0.0}
    (plain,), (lens,), (leaded,) = (
        drawn("facets", hills(), {**bare, **more})
        for more in ({"plain": 1.0}, {"plain": 0.0}, {"plain": 1.0, "lead": 1.0})
    )
    alike = [(np.abs(np.diff(one, axis=1)).max(axis=-1) < 0.004).mean() for one in (plain, lens)]
    assert alike[0] > 0.8 > 0.4 > alike[1]
    assert (leaded.max(axis=-1) < 0.1).mean() > (plain.max(axis=-1) < 0.1).mean() + 0.1
