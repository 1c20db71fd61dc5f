"""Mapping: corners, bends, soft edges and masks as drawn, read back; a file that tells where it is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import moderngl
import numpy as np
import pytest

from lavlive.errors import SurfacesError
from lavlive.light import to_linear
from lavlive.stage.canvas.offscreen import offscreen_context
from lavlive.stage.canvas.passes import Passes, Target
from lavlive.stage.output.mapping import surfaces_file
from lavlive.stage.output.mapping.drawing import ScreenPicture, SliceDrawer, turn_of
from lavlive.stage.output.mapping.geometry import bent, flat_grid, homography, mesh, through
from lavlive.stage.output.mapping.surfaces import WHOLE, Corners, Mask, Screen, Slice, Surfaces, is_convex
from lavlive.stage.output.mapping.surfaces_file import SurfacesFile, read_surfaces, write_surfaces

SIZE = (240, 160)
KEYSTONE: Corners = ((0.1, 0.05), (0.85, 0.2), (0.95, 0.9), (0.05, 0.8))


class Bench:
    """A canvas and a screen in a context without a window."""

    def __init__(self) -> None:
        self.context = offscreen_context()
        self.passes = Passes(self.context)
        self.drawer = SliceDrawer(self.context)
        self.picture = ScreenPicture(self.context, self.passes, self.drawer)

    def canvas(self, pixels: np.ndarray) -> moderngl.Texture:
        height, width, _ = pixels.shape
        texture = self.context.texture((width, height), 3, pixels.astype("f4").tobytes(), dtype="f4")
        texture.repeat_x = texture.repeat_y = False
        return texture

    def screen(self, screen: Screen, pixels: np.ndarray, **further: object) -> np.ndarray:
        """What is on the screen, float32 [H, W, 3], signal 0 to 1."""
        canvas = self.canvas(pixels)
        shown = self.picture.draw(screen, canvas, SIZE, **further)  # type: ignore[arg-type]
        data = np.frombuffer(shown.read(), np.float16).reshape(SIZE[1], SIZE[0], 4)
        canvas.release()
        return data[..., :3].astype(np.float32)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    with made.context:
        yield made
    made.context.release()


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "bench" in request.fixturenames:
        request.getfixturevalue("bench").picture.release()


def white(width: int = 64, height: int = 48) -> np.ndarray:
    return np.ones((height, width, 3), np.float32)


def ways(width: int = 256, height: int = 256) -> np.ndarray:
    """A canvas whose red is its x and whose green is its y."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.float32)


def spots(width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """Middle of every pixel of the screen, [H, W, 2]."""
    return np.stack(np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height), axis=2)


# Corners


def test_a_homography_is_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    theirs = cv2.getPerspectiveTransform(np.array(WHOLE, np.float32), np.array(KEYSTONE, np.float32))
    np.testing.assert_allclose(homography(KEYSTONE), theirs / theirs[2, 2], atol=1e-6)


@pytest.mark.parametrize("corners", [KEYSTONE, WHOLE, ((0.0, 0.3), (0.9, 0.0), (1.4, 1.2), (0.2, 0.7))])
def test_what_is_drawn_lies_where_opencv_puts_it_within_half_a_pixel(bench: Bench, corners: Corners) -> None:
    cv2 = pytest.importorskip("cv2")
    drawn = bench.screen(Screen(slices=(Slice(corners=corners),)), ways())
    inverse = cv2.getPerspectiveTransform(np.array(corners, np.float32), np.array(WHOLE, np.float32))
    wanted = cv2.perspectiveTransform(spots().reshape(1, -1, 2).astype(np.float32), inverse).reshape(
        *SIZE[::-1], 2
    )
    inside = np.all((wanted > 0.02) & (wanted < 0.98), axis=2)
    assert inside.sum() > 5000
    # An error in the canvas, in pixels of the screen.
    step = np.abs(np.gradient(wanted, axis=1)).max(axis=2) + np.abs(np.gradient(wanted, axis=0)).max(axis=2)
    off = np.abs(drawn[..., :2] - wanted).max(axis=2) / step
    assert off[inside].max() < 0.5
    outside = np.any((wanted < -0.02) | (wanted > 1.02), axis=2)
    assert not outside.any() or drawn[outside].max() == 0.0


def test_corners_that_cross_or_have_a_dent_are_no_slice() -> None:
    assert is_convex(KEYSTONE)
    for bad in [((0, 0), (1, 1), (1, 0), (0, 1)), ((0, 0), (1, 0), (0.2, 0.2), (0, 1)), ((0, 0),) * 4]:
        assert not is_convex(bad)
        with pytest.raises(ValueError, match="without a dent"):
            Slice(corners=bad)


def test_a_slice_takes_its_part_of_the_canvas(bench: Bench) -> None:
    drawn = bench.screen(Screen(slices=(Slice(input=(0.5, 0.25, 0.5, 0.5)),)), ways())
    assert drawn[80, 0, 0] == pytest.approx(0.5, abs=0.01)
    assert drawn[80, -1, 0] == pytest.approx(1.0, abs=0.01)
    assert drawn[0, 100, 1] == pytest.approx(0.25, abs=0.01)
    assert drawn[-1, 100, 1] == pytest.approx(0.75, abs=0.01)


# Bends


def test_a_grid_that_bends_nothing_draws_what_no_grid_draws(bench: Bench) -> None:
    straight = bench.screen(Screen(slices=(Slice(corners=KEYSTONE),)), ways())
    gridded = bench.screen(Screen(slices=(Slice(corners=KEYSTONE, grid=flat_grid()),)), ways())
    assert np.abs(straight - gridded).max() < 0.01


def test_a_bent_slice_lies_on_the_bezier_surface(bench: Bench) -> None:
    grid = list(flat_grid())
    for index in (5, 6, 9, 10):
        grid[index] = (grid[index][0] + 0.1, grid[index][1] - 0.08)
    part = Slice(corners=KEYSTONE, grid=tuple(grid))
    drawn = bench.screen(Screen(slices=(part,)), ways())
    places = np.random.default_rng(1).uniform(0.1, 0.9, (200, 2))
    where = through(homography(KEYSTONE), bent(part.grid or (), places)) * np.array(SIZE)
    columns, rows = np.floor(where).astype(int).T
    # From the middle of the pixel to the spot itself is half a pixel at the most.
    assert np.abs(drawn[rows, columns, :2] - places).max() < 2.0 / min(SIZE)
    assert mesh(part).shape == (24 * 24 * 6, 5)


# Soft edges, gain and black


@pytest.mark.parametrize("gamma", ["srgb", 2.2, 1.8])
@pytest.mark.parametrize("level", [0.25, 0.5, 1.0])
def test_two_screens_that_overlap_sum_to_an_even_grey_in_linear_light(
    bench: Bench, level: float, gamma: float | str
) -> None:
    grey = np.full((48, 64, 3), level, np.float32)
    left = Slice(input=(0, 0, 0.6, 1), right=1 / 3, gamma=gamma)  # type: ignore[arg-type]
    right = Slice(input=(0.4, 0, 0.6, 1), left=1 / 3, gamma=gamma)  # type: ignore[arg-type]
    one = bench.screen(Screen(slices=(left,)), grey)[80, :, 0]
    two = bench.screen(Screen(slices=(right,)), grey)[80, :, 0]
    light = [to_linear(each) if gamma == "srgb" else each**gamma for each in (one, two)]
    overlap = SIZE[0] // 3
    together = np.concatenate(
        [light[0][:-overlap], light[0][-overlap:] + light[1][:overlap], light[1][overlap:]]
    )
    assert together == pytest.approx(together[0], rel=0.01)
    assert light[0][-1] < 0.01
    # As the displays have it, in 8 bits.
    rounded = [np.rint(each * 255) / 255 for each in (one, two)]
    shown = [to_linear(each) if gamma == "srgb" else each**gamma for each in rounded]
    blend = shown[0][-overlap:] + shown[1][:overlap]
    assert np.convolve(blend, np.ones(5) / 5, "valid") == pytest.approx(together[0], rel=0.01)


def test_gain_dims_light_and_black_lifts_only_where_nothing_overlaps(bench: Bench) -> None:
    half = bench.screen(Screen(gain=0.5), np.full((8, 8, 3), 0.5, np.float32))
    grey = to_linear(np.array([0.5], np.float32))[0]
    assert to_linear(half)[80, 100, 0] == pytest.approx(grey * 0.5, rel=0.01)
    lifted = bench.screen(Screen(black=0.05, slices=(Slice(right=0.25),)), np.zeros((8, 8, 3), np.float32))
    assert to_linear(lifted)[80, 10, 0] == pytest.approx(0.05, rel=0.02)
    assert lifted[80, -20:, 0].max() == 0.0


def test_masks_hide_what_is_outside_or_inside_them(bench: Bench) -> None:
    triangle = Mask(((0.1, 0.1), (0.9, 0.1), (0.5, 0.9)))
    hole = Mask(((0.4, 0.2), (0.6, 0.2), (0.6, 0.4), (0.4, 0.4)), "outside")
    drawn = bench.screen(Screen(slices=(Slice(masks=(triangle, hole)),)), white())[..., 0]
    height, width = drawn.shape

    def at(x: float, y: float) -> float:
        return float(drawn[int(y * height), int(x * width)])

    assert (at(0.3, 0.2), at(0.7, 0.2), at(0.5, 0.7)) == pytest.approx((1.0, 1.0, 1.0), abs=0.001)
    assert (at(0.5, 0.3), at(0.05, 0.5), at(0.95, 0.5), at(0.2, 0.8)) == (0.0, 0.0, 0.0, 0.0)
    share = (0.8 * 0.8 / 2 - 0.04) * width * height
    assert drawn.sum() == pytest.approx(share, rel=0.01)


def test_a_screen_is_late_by_its_delay(bench: Bench) -> None:
    levels = []
    for number in range(10):
        canvas = np.full((4, 4, 3), number / 10, np.float32)
        levels.append(float(bench.screen(Screen(delay=3), canvas)[80, 100, 0]))
    assert levels[3:] == pytest.approx([number / 10 for number in range(7)], abs=0.002)


@pytest.mark.parametrize(
    ("screen", "corner"),
    [
        (Screen(), (0, 0)),
        (Screen(flip="horizontal"), (1, 0)),
        (Screen(flip="vertical"), (0, 1)),
        (Screen(rotate=180), (1, 1)),
        (Screen(rotate=90), (1, 0)),
        (Screen(rotate=270), (0, 1)),
    ],
)
def test_a_screen_is_flipped_and_turned_on_its_display(
    bench: Bench, screen: Screen, corner: tuple[int, int]
) -> None:
    pixels = np.zeros((32, 32, 3), np.float32)
    pixels[:16, :16] = 1.0  # top left is bright
    canvas = bench.canvas(pixels)
    display = Target(bench.context, (32, 32), "f1")
    bench.passes.draw("turned", display.framebuffer, canvas=canvas, turn=turn_of(screen))
    shown = np.frombuffer(display.framebuffer.read(components=3, alignment=1), np.uint8).reshape(32, 32, 3)
    bright = [(x, y) for x in (0, 1) for y in (0, 1) if shown[8 + 16 * y, 8 + 16 * x, 0] > 128]
    assert bright == [corner]


def test_pattern_mark_and_label_are_seen(bench: Bench) -> None:
    plain = bench.screen(Screen(), white())
    pattern = bench.screen(Screen(), white(), pattern=True)
    assert pattern.std() > 0.05
    marked = bench.screen(Screen(), white(), marked=(0, (0.5, 0.5)))
    assert np.abs(marked - plain)[60:100, 90:150].max() > 0.5
    assert np.abs(marked - plain)[:20].max() == 0.0
    labelled = bench.screen(Screen(), white(), label="1 LEFT")
    assert np.abs(labelled - plain).max() > 0.3


# The file


ROOM = Surfaces(
    (
        Screen("left", "HDMI-1", gain=0.9, slices=(Slice(right=0.2, corners=KEYSTONE), Slice(gamma=2.2))),
        Screen("right", 2, "horizontal", 90, 4, 1.0, 0.01, (Slice(grid=flat_grid(), masks=(Mask(WHOLE),)),)),
    ),
    (3840, 1080),
)


def test_surfaces_are_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "surfaces.toml"
    write_surfaces(path, ROOM)
    assert read_surfaces(path) == ROOM
    path.write_text("[[screen]]\n")
    assert read_surfaces(path) == Surfaces()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("canvas = [99999, 1080]\n[[screen]]\n", 1, "canvas is [width, height]"),
        ("", 1, "there is no [[screen]]"),
        ("[[screen]]\nrotate = 45\n", 2, "rotate is 0, 90"),
        ("[[screen]]\n[[screen]]\ndelay = 11\n", 3, "delay is 0 to 10"),
        ("[[screen]]\nflip = 'up'\n", 2, "flip"),
        (
            "[[screen]]\n[[screen.slice]]\n[[screen.slice]]\ninput = [0.5, 0, 0.8, 1]\n",
            4,
            "within the canvas",
        ),
        ("[[screen]]\n[[screen.slice]]\ncorners = [[0, 0], [1, 1], [1, 0], [0, 1]]\n", 3, "without a dent"),
        ("[[screen]]\n[[screen.slice]]\ncorners = [[0, 0], [1, 1]]\n", 3, "four places"),
        ("[[screen]]\n[[screen]]\n[[screen.slice]]\nleft = 0.1\nright = nan\n", 5, "right is"),
        ("[[screen]]\n[[screen.slice]]\ngrid = [[0, 0]]\n", 3, "16 places"),
        ("[[screen]]\n[[screen.slice]]\n[[screen.slice.mask]]\npoints = [[0, 0]]\n", 4, "three or more"),
        ("[[screen]]\nslices = 3\n", 2, "unknown"),
        ("[[screen]]\nwidth = 3\n", 2, "unknown"),
        ("screen = 3\n", 1, "[[screen]]"),
        ("[[screen]\n", 1, ""),
    ],
)
def test_a_broken_file_is_told_by_line_and_field(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = tmp_path / "surfaces.toml"
    path.write_text(text)
    with pytest.raises(SurfacesError, match=f"line {line}: ") as told:
        read_surfaces(path)
    assert says in str(told.value)


def settle(file: SurfacesFile, now: float) -> Surfaces | None:
    """Let the file's thread come to an end."""
    found = file.step(now)
    if file._work is not None:
        file._work.result(10)
    return file.step(now) or found


def test_the_file_is_followed_the_last_good_one_stays_and_a_fault_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "surfaces.toml"
    told: list[str] = []
    write_surfaces(path, Surfaces())
    file = SurfacesFile(path, told.append)
    assert settle(file, 0.0) is None
    write_surfaces(path, ROOM)
    assert settle(file, 1.0) == ROOM
    path.write_text("[[screen]]\nrotate = 45\n")
    assert [settle(file, now) for now in (2.0, 3.0, 4.0)] == [None] * 3
    assert len(told) == 1
    assert "line 2" in told[0]
    file.edited(Surfaces(), 5.0)
    assert settle(file, 5.1) is None
    assert "rotate" in path.read_text()
    assert settle(file, 6.0) is None
    assert read_surfaces(path) == Surfaces()
    assert settle(file, 7.0) is None, "what it has written itself is no news"
    path.unlink()
    assert settle(file, 8.0) is None
    file.edited(ROOM, 9.0)
    file.close()
    assert read_surfaces(path) == ROOM


def test_a_disk_that_takes_nothing_is_told_and_editing_goes_on(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("no folder")
    told: list[str] = []
    file = SurfacesFile(tmp_path / "folder" / "surfaces.toml", told.append)
    for now in (0.0, 10.0):
        file.edited(ROOM, now)
        settle(file, now + 1.0)
    assert len(told) == 1
    assert "cannot be written" in told[0]
    file.close()


def test_a_disk_that_hangs_does_not_keep_the_show_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(surfaces_file, "write_surfaces", lambda *_: goes_on.wait(30))
    told: list[str] = []
    file = SurfacesFile(tmp_path / "surfaces.toml", told.append, patience=0.05)
    file.edited(ROOM, 0.0)
    file.close()
    assert len(told) == 1
    assert "does not answer" in told[0]
    goes_on.set()
