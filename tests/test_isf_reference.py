"""Twelve shaders of the kinds that people write, beside what numpy computes from their definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
import pytest

from lavlive.parameters import Value
from lavlive.stage.canvas.isf.document import read_document
from lavlive.stage.canvas.isf.shader import Frame, Shader
from tests.support.offscreen import offscreen, pixels

WIDTH, HEIGHT, FRAMES = 24, 16, 3
TIMES = [0.0, 0.25, 0.5]
FILTER = '"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]'
Reference = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


def picture(frame: int) -> np.ndarray:
    """float [H, W, 3], first row at the bottom: no symmetry, other in each frame."""
    return np.random.default_rng(frame).random((HEIGHT, WIDTH, 3)).astype(np.float32)


def neighbour(image: np.ndarray, right: int, up: int) -> np.ndarray:
    rows = np.clip(np.arange(HEIGHT) + up, 0, HEIGHT - 1)
    columns = np.clip(np.arange(WIDTH) + right, 0, WIDTH - 1)
    found: np.ndarray = image[rows[:, None], columns]
    return found


def light(image: np.ndarray) -> np.ndarray:
    found: np.ndarray = image @ np.array([0.299, 0.587, 0.114])
    return found


def no_inputs(name: str) -> Value:
    raise AssertionError(name)


def trail(_x: np.ndarray, _y: np.ndarray, _image: np.ndarray) -> np.ndarray:
    kept = np.zeros((HEIGHT, WIDTH, 3))
    for frame in range(FRAMES):
        kept = 0.5 * kept + 0.5 * picture(frame)
    return kept


def halved(_x: np.ndarray, _y: np.ndarray, image: np.ndarray) -> np.ndarray:
    small: np.ndarray = image.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3))
    return small.repeat(2, axis=0).repeat(2, axis=1)


SHADERS: dict[str, tuple[str, str, Reference]] = {
    "gradient": ("", "vec4(isf_FragNormCoord, 0.25, 1.0)", lambda x, y, i: (x, y, 0.25)),
    "pixels": ("", "vec4(gl_FragCoord.xy / RENDERSIZE, 0.0, 1.0)", lambda x, y, i: (x, y, 0.0)),
    "rings": (
        "",
        "vec4(vec3(0.5 + 0.5 * sin(20.0 * distance(isf_FragNormCoord, vec2(0.3, 0.7)) - TIME)), 1.0)",
        lambda x, y, i: (0.5 + 0.5 * np.sin(20 * np.hypot(x - 0.3, y - 0.7) - TIMES[-1]),) * 3,
    ),
    "clock": (
        "",
        "vec4(TIME, TIMEDELTA, float(FRAMEINDEX) / 4.0, 1.0)",
        lambda x, y, i: (TIMES[-1], 0.25, 0.5),
    ),
    "negative": (FILTER, "vec4(1.0 - IMG_THIS_PIXEL(inputImage).rgb, 1.0)", lambda x, y, i: 1 - i),
    "mirror": (
        FILTER,
        "IMG_NORM_PIXEL(inputImage, vec2(1.0 - isf_FragNormCoord.x, isf_FragNormCoord.y))",
        lambda x, y, i: i[:, ::-1],
    ),
    "upside down": (
        FILTER,
        "IMG_PIXEL(inputImage, vec2(gl_FragCoord.x, RENDERSIZE.y - gl_FragCoord.y))",
        lambda x, y, i: i[::-1],
    ),
    "threshold": (
        FILTER,
        "vec4(vec3(step(0.5, dot(IMG_THIS_PIXEL(inputImage).rgb, vec3(0.299, 0.587, 0.114)))), 1.0)",
        lambda x, y, i: (light(i) >= 0.5,) * 3,
    ),
    "shifted": (
        FILTER,
        "vec4(IMG_PIXEL(inputImage, gl_FragCoord.xy + vec2(3.0, 0.0)).r, "
        "IMG_PIXEL(inputImage, gl_FragCoord.xy + vec2(0.0, -2.0)).g, 0.0, 1.0)",
        lambda x, y, i: (neighbour(i, 3, 0)[..., 0], neighbour(i, 0, -2)[..., 1], 0.0),
    ),
    "blur": (
        FILTER,
        "0.5 * IMG_THIS_PIXEL(inputImage) + 0.25 * (IMG_PIXEL(inputImage, gl_FragCoord.xy + vec2(1.0, 0.0)) "
        "+ IMG_PIXEL(inputImage, gl_FragCoord.xy - vec2(1.0, 0.0)))",
        lambda x, y, i: 0.5 * i + 0.25 * (neighbour(i, 1, 0) + neighbour(i, -1, 0)),
    ),
    "trail": (
        FILTER + ', "PASSES": [{"TARGET": "kept", "PERSISTENT": true, "FLOAT": true}]',
        "mix(IMG_THIS_PIXEL(kept), IMG_THIS_PIXEL(inputImage), 0.5)",
        trail,
    ),
    "mosaic": (
        FILTER + ', "PASSES": [{"TARGET": "half", "WIDTH": "$WIDTH/2", "HEIGHT": "$HEIGHT/2"}, {}]',
        "PASSINDEX == 0 ? IMG_THIS_PIXEL(inputImage) "
        ": IMG_NORM_PIXEL(half, (floor(isf_FragNormCoord * IMG_SIZE(half)) + 0.5) / IMG_SIZE(half))",
        halved,
    ),
}


@pytest.fixture(scope="module")
def context() -> Iterator[moderngl.Context]:
    with offscreen() as opened:
        yield opened


@pytest.mark.parametrize("name", SHADERS)
def test_a_shader_draws_what_its_definition_says(
    context: moderngl.Context, tmp_path: Path, name: str
) -> None:
    header, colour, reference = SHADERS[name]
    path = tmp_path / "one.fs"
    path.write_text(f"/*{{{header}}}*/\nvoid main() {{ gl_FragColor = {colour}; }}", encoding="utf-8")
    with context:
        source = context.texture((WIDTH, HEIGHT), 3, dtype="f4")
        source.repeat_x = source.repeat_y = False
        shader = Shader(context, read_document(path))
        for frame in range(FRAMES):
            source.write(picture(frame).tobytes())
            elapsed = TIMES[1] if frame else 0.0
            asked = Frame(
                (WIDTH, HEIGHT),
                TIMES[frame],
                elapsed,
                frame,
                (2026, 1, 1, 0),
                no_inputs,
                {"inputImage": source},
            )
            drawn = shader.draw(asked)
        found = pixels(drawn)[..., :3]
        shader.release()
        source.release()
    x, y = np.meshgrid((np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(HEIGHT) + 0.5) / HEIGHT)
    wanted = reference(x, y, picture(FRAMES - 1))
    if isinstance(wanted, tuple):
        wanted = np.stack([np.broadcast_to(part, x.shape) for part in wanted], axis=-1)
    np.testing.assert_allclose(found, wanted, atol=2e-3)
