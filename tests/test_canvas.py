"""The canvas, read back: what the shaders draw, and that memory and OpenGL draw the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from OpenGL import GL

from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.canvas.mixer import IDLE
from lavlive.stage.canvas.scaling import enlargement, picture_extent, scaling_matrix
from lavlive.stage.output.base import Output, OutputSettings
from lavlive.stage.output.headless import HeadlessOutput, MemoryCanvas
from lavlive.stage.output.opening import open_output
from tests.support.flash_counter import count_flashes
from tests.support.xvfb import display

__all__ = ["display"]

SIZE = (160, 90)
STILL = Values({"show.dissolve": 0.0, "show.scaling": "stretch"})


def picture(pixels: np.ndarray, sequence: int = 1) -> Picture:
    return Picture(pixels, sequence, 0.0, 0.0, 0)


def plain(level: int, size: int = 32) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


def detailed(seed: int = 0, size: int = 48) -> np.ndarray:
    """A picture with strong edges and colours but no more than a few octaves of detail."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (size // 4, size // 4, 3), np.uint8), np.ones((4, 4, 1), np.uint8))


@pytest.fixture(params=["window", "headless"])
def output(request: pytest.FixtureRequest, display: str) -> Iterator[Output]:
    with open_output(request.param, OutputSettings(*SIZE, vsync=False)) as opened:
        yield opened


def test_before_the_first_picture_there_is_a_glow_and_not_black(output: Output) -> None:
    output.present(None, Values(), 0.0)
    canvas = output.read_canvas()
    assert canvas.shape == (90, 160, 3)
    assert canvas.dtype == np.uint8
    assert canvas.min() > 0
    assert canvas.mean() == pytest.approx(IDLE.mean(), rel=0.3)


def test_a_plain_picture_keeps_its_colour_exactly(output: Output) -> None:
    for number, colour in enumerate([(0, 0, 0), (255, 255, 255), (37, 128, 201), (1, 2, 3)]):
        pixels = np.broadcast_to(np.array(colour, np.uint8), (32, 32, 3))
        output.present(picture(pixels, number + 1), STILL, float(number))
        canvas = output.read_canvas().astype(int)
        assert np.abs(canvas - colour).max() <= 1
        assert np.abs(canvas.mean(axis=(0, 1)) - colour).max() < 0.3


def test_the_picture_stands_upright_and_is_not_mirrored(output: Output) -> None:
    pixels = plain(0)
    pixels[:16, :16] = (255, 0, 0)
    pixels[16:, 16:] = (0, 255, 0)
    output.present(picture(pixels), STILL, 0.0)
    canvas = output.read_canvas()
    assert tuple(canvas[10, 10]) == pytest.approx((255, 0, 0), abs=2)
    assert tuple(canvas[80, 150]) == pytest.approx((0, 255, 0), abs=2)
    assert canvas[10, 150].max() < 3


@pytest.mark.parametrize("scaling", ["fit", "fill", "stretch"])
@pytest.mark.parametrize("zoom_time", [0.0, 9.0], ids=["still", "moving"])
def test_both_canvases_agree(output: Output, scaling: str, zoom_time: float) -> None:
    values = Values({"show.dissolve": 0.0, "show.scaling": scaling, "show.upscale": "spline"})
    memory = MemoryCanvas(SIZE)
    for now in np.arange(0.0, zoom_time + 0.1, 0.5):
        output.present(picture(detailed()), values, now)
        memory.draw(picture(detailed()), values, now)
    difference = np.abs(output.read_canvas().astype(int) - memory.read())
    assert difference.max() <= 3
    assert difference.mean() < 0.6


def disc(side: int) -> np.ndarray:
    """A disc and a bar across it, smoothed by averaging: uint8 [side, side, 3]."""
    y, x = np.mgrid[0 : 1 : side * 8j, 0 : 1 : side * 8j]
    light = 0.2 + 0.6 * (np.hypot(x - 0.5, y - 0.45) < 0.33) - 0.5 * (np.abs(x + 0.6 * y - 0.75) < 0.06)
    mean = np.clip(light, 0, 1).reshape(side, 8, side, 8).mean(axis=(1, 3))
    return np.rint(255 * np.repeat(mean[..., None], 3, axis=2)).astype(np.uint8)


def test_along_edges_an_enlarged_picture_is_nearer_the_truth_than_by_the_spline() -> None:
    """Both are compared with the picture as it would be at the canvas's size; in decibels."""
    nearness = {}
    for upscale in ("spline", "edges"):
        with HeadlessOutput(OutputSettings(canvas=(128, 128))) as output:
            if output.note is not None:
                pytest.skip(output.note)
            output.present(picture(disc(32)), Values({"show.upscale": upscale}), 0.0)
            error = (output.read_canvas().astype(float) - disc(128)) / 255
        nearness[upscale] = -10 * np.log10(np.mean(error**2))
    assert nearness["edges"] > nearness["spline"] + 1.0


def test_a_picture_that_is_hardly_enlarged_is_not_doubled() -> None:
    canvases = []
    for upscale in ("spline", "edges"):
        with HeadlessOutput(OutputSettings(canvas=(48, 48))) as output:
            output.present(picture(disc(32)), Values({"show.upscale": upscale}), 0.0)
            canvases.append(output.read_canvas())
    np.testing.assert_array_equal(canvases[0], canvases[1])
    assert len(canvases) == 2
    assert enlargement("fill", (32, 32), (48, 48)) == 1.5
    assert enlargement("fit", (64, 32), (128, 128)) == 2.0
    assert enlargement("fill", (64, 32), (128, 128)) == 4.0


def test_fit_shows_all_with_bars_and_fill_covers_all(output: Output) -> None:
    output.present(picture(plain(200)), Values({"show.scaling": "fit", "show.dissolve": 0.0}), 0.0)
    canvas = output.read_canvas()
    assert canvas[:, :34].max() <= 1
    assert canvas[:, -34:].max() <= 1
    assert canvas[:, 36:124].min() >= 199
    output.present(None, Values({"show.scaling": "fill", "show.dissolve": 0.0}), 0.01)
    assert output.read_canvas().min() >= 199


def test_halfway_through_a_dissolve_both_pictures_are_seen(output: Output) -> None:
    values = Values({"show.dissolve": 0.5, "show.flash_limit": False})
    output.present(picture(plain(40), 1), values, 0.0)
    output.present(None, values, 1.0)
    output.present(picture(plain(200), 2), values, 1.0)
    output.present(None, values, 1.25)
    assert output.read_canvas().mean() == pytest.approx(120, abs=2)


def test_a_dissolve_that_is_interrupted_goes_on_from_what_is_seen(output: Output) -> None:
    values = Values({"show.dissolve": 0.4, "show.flash_limit": False})
    output.present(picture(plain(0), 1), values, 0.0)
    output.present(None, values, 1.0)
    levels, tick = [], 0
    for sequence, level in enumerate((240, 10, 250, 100), start=2):
        for _ in range(6):
            output.present(picture(plain(level), sequence), values, 1.0 + tick / 30)
            levels.append(float(output.read_canvas().mean()))
            tick += 1
    assert np.abs(np.diff(levels)).max() < 250 / 30 / 0.4 * 1.2


def test_a_dissolve_between_resolutions_shows_neither_black_nor_a_jump(output: Output) -> None:
    values = Values({"show.dissolve": 0.5, "show.flash_limit": False})
    output.present(picture(plain(180, 32), 1), values, 0.0)
    output.present(None, values, 1.0)
    for tick in range(20):
        output.present(picture(plain(180, 96), 2), values, 1.0 + tick / 30)
        assert output.read_canvas().min() >= 178


def test_blackout_fades_and_returns(output: Output) -> None:
    values = Values({"show.dissolve": 0.0})
    output.present(picture(plain(200)), values, 0.0)
    dark = Values({"show.blackout": True})
    levels = []
    for tick in range(12):
        output.present(None, dark, (tick + 1) / 30)
        levels.append(float(output.read_canvas().mean()))
    assert levels[0] > 150
    assert 5 < levels[5] < 195
    assert levels[-1] < 0.5
    output.present(None, values, 2.0)
    assert output.read_canvas().mean() == pytest.approx(200, abs=1)


def test_a_flashing_show_is_held_to_three_flashes_a_second(output: Output) -> None:
    values = Values({"show.dissolve": 0.0})
    memory = MemoryCanvas(SIZE)
    shown, times = [], []
    for tick in range(100):
        flash = picture(plain(255 * (tick // 3 % 2)), tick + 1)
        output.present(flash, values, tick / 60)
        memory.draw(flash, values, tick / 60)
        memory.read()
        shown.append(output.read_canvas()[::15, ::16])
        times.append(tick / 60)
        assert output.held_back == pytest.approx(memory.held_back, abs=0.02)
    assert count_flashes(np.array(shown), times).general <= 6
    assert max(canvas.max() for canvas in shown) == 255


def test_enlarging_shows_no_pixel_grid() -> None:
    """The jump of slope where one source pixel ends and the next begins: the spline has none."""
    ramp = np.cumsum(np.random.default_rng(0).normal(size=32))
    scale = 16
    smooth = scaling_matrix(32, 32 * scale, 1.0, 1.0, 0.0) @ ramp
    linear = np.interp((np.arange(32 * scale) + 0.5) / scale - 0.5, np.arange(32), ramp)

    def lattice(line: np.ndarray) -> float:
        curvature = np.abs(np.diff(line, 2))[2 * scale : -2 * scale]
        by_phase = curvature[: len(curvature) // scale * scale].reshape(-1, scale).mean(axis=0)
        return float(by_phase.max() / by_phase.mean())

    assert lattice(linear) > 5
    assert lattice(smooth) < 1.6


def test_scaling_keeps_level_and_does_not_shift() -> None:
    for source, target in ((256, 1080), (64, 90), (128, 100)):
        matrix = scaling_matrix(source, target, 1.0, 1.0, 0.0)
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-5)


def test_detail_that_the_spline_takes_is_given_back() -> None:
    """A pattern of eight pixels keeps its contrast within a tenth."""
    wave = np.cos(2 * np.pi * np.arange(256) / 8)
    shown = scaling_matrix(256, 2048, 1.0, 1.0, 0.0) @ wave
    assert np.ptp(shown[200:-200]) / 2 == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("scaling", "expected"), [("fit", (0.5625, 1.0)), ("fill", (1.0, 16 / 9)), ("stretch", (1.0, 1.0))]
)
def test_the_extent_of_a_square_picture_on_a_wide_canvas(scaling: str, expected: tuple[float, float]) -> None:
    assert picture_extent(scaling, (32, 32), (1920, 1080)) == pytest.approx(expected)


@pytest.mark.parametrize("scaling", ["fill", "stretch"])
@pytest.mark.parametrize("picture", [(256, 256), (448, 256), (1024, 1024), (256, 448)])
def test_the_darker_pixels_at_a_picture_s_edge_lie_beyond_the_canvas(
    scaling: str, picture: tuple[int, int]
) -> None:
    extent = picture_extent(scaling, picture, (1920, 1080))
    shown = [(1 - 1 / part) / 2 * size for part, size in zip(extent, picture, strict=True)]
    assert min(shown) == pytest.approx(2.0)
    if scaling == "fill":
        pixels = [part * side / size for part, side, size in zip(extent, (1920, 1080), picture, strict=True)]
        assert pixels[0] == pytest.approx(pixels[1])


def test_a_canvas_in_memory_draws_only_when_it_is_read() -> None:
    output = HeadlessOutput(OutputSettings(64, 36))
    for tick in range(5):
        output.present(picture(plain(50 * tick), tick + 1), Values({"show.flash_limit": False}), float(tick))
    first = output.read_canvas()
    assert first.mean() > 50
    np.testing.assert_array_equal(output.read_canvas(), first)


def test_a_canvas_without_a_window_leaves_a_windows_opengl_current(display: str) -> None:
    """As where the panel shows what a show without a window draws."""
    settings = OutputSettings(*SIZE, vsync=False)
    with open_output("headless", settings) as headless, open_output("window", settings) as window:
        window.present(picture(plain(200)), STILL, 0.0)
        headless.present(picture(plain(100)), STILL, 0.0)
        assert headless.read_canvas().mean() == pytest.approx(100, abs=1)
        GL.glDeleteTextures(1, [GL.glGenTextures(1)])
