"""Compares ways to enlarge pictures: python -m tools.upscaling [--side 1024] [--by 4] [--pictures FOLDER]

True pictures of the procedural families are made small by the mean of squares of pixels, enlarged again by
the canvas's own passes, and compared: PSNR in decibels and SSIM (Wang and others, 2004; a Gaussian of 1.5
pixels, of the luminance), both of the sRGB values. With --pictures, crops of each lie side by side in a
folder, true first. With --models, bundled generators' own pictures are enlarged instead, to be looked at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import moderngl
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from lavlive.stage.canvas.offscreen import offscreen_context
from lavlive.stage.canvas.passes import Passes, Target
from lavlive.stage.canvas.scaling import SHARPEN
from lavlive.training.pictures.families import FAMILIES, picture

PER_FAMILY = 4


class Ways:
    """Enlarges float pictures [h, w, 3], 0 to 1, to a width and height."""

    def __init__(self) -> None:
        self._context = offscreen_context()
        self._passes = Passes(self._context)
        self._made: list[Target] = []

    def _target(self, size: tuple[int, int]) -> Target:
        self._made.append(Target(self._context, size, "f4"))
        return self._made[-1]

    def _loaded(self, pixels: np.ndarray) -> moderngl.Texture:
        height, width, _ = pixels.shape
        data = np.dstack([pixels, np.ones((height, width))]).astype(np.float32)
        target = self._target((width, height))
        target.texture.write(data.tobytes())
        return target.texture

    def _read(self, target: Target) -> np.ndarray:
        width, height = target.texture.size
        data = np.frombuffer(target.texture.read(), np.float32).reshape(height, width, 4)[..., :3].copy()
        for one in self._made:
            one.release()
        self._made.clear()
        return data

    def _pass(self, name: str, size: tuple[int, int], **uniforms: object) -> moderngl.Texture:
        target = self._target(size)
        self._passes.draw(name, target.framebuffer, False, **uniforms)
        return target.texture

    def _placed(self, texture: moderngl.Texture, size: tuple[int, int], sharpen: float) -> np.ndarray:
        sharp = self._pass("sharpen", texture.size, seen=texture, amount=sharpen)
        target = self._target(size)
        self._passes.draw(
            "present",
            target.framebuffer,
            False,
            picture=sharp,
            extent=(1.0, 1.0),
            zoom=1.0,
            drift=(0.0, 0.0),
            light=1.0,
        )
        return self._read(target)

    def bilinear(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Between the four nearest."""
        texture = self._loaded(pixels)
        target = self._target(size)
        self._passes.draw("rack_out", target.framebuffer, False, picture=texture, light=1.0)
        return self._read(target)

    def spline(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The B-spline with its prefilter."""
        return self._placed(self._loaded(pixels), size, SHARPEN)

    def edges(self, crisp: tuple[float, ...], sharpen: float) -> Callable[..., np.ndarray]:
        """Doubled along edges, sharpened by its contrast after each doubling, then the B-spline."""

        def enlarge(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
            texture = self._loaded(pixels)
            for amount in crisp:
                doubled = texture.size[0] * 2, texture.size[1] * 2
                texture = self._pass("enlarge", doubled, picture=texture)
                if amount:
                    texture = self._pass("crisp", doubled, picture=texture, amount=amount)
            return self._placed(texture, size, sharpen)

        return enlarge


def smaller(pixels: np.ndarray, by: int) -> np.ndarray:
    """The mean of squares of by × by pixels, in 8 bits as a generator gives them."""
    height, width, _ = pixels.shape
    mean = pixels.reshape(height // by, by, width // by, by, 3).mean(axis=(1, 3))
    return np.rint(mean * 255) / 255


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Decibels."""
    return float(-10 * np.log10(np.mean((a - b) ** 2)))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Of the luminance, 0 to 1."""
    x, y = (image @ np.array([0.299, 0.587, 0.114]) for image in (a, b))
    mx, my = gaussian_filter(x, 1.5), gaussian_filter(y, 1.5)
    vx, vy = gaussian_filter(x * x, 1.5) - mx * mx, gaussian_filter(y * y, 1.5) - my * my
    cov = gaussian_filter(x * y, 1.5) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float((((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def _look(models: list[str], folder: Path, ways: Ways, tried: dict[str, Callable[..., np.ndarray]]) -> None:
    """Crops of pictures of generators as a 1080-line screen shows them: bilinear, spline, edges."""
    from lavlive.engine.loading import load_model

    folder.mkdir(parents=True, exist_ok=True)
    for name in models:
        model, _ = load_model(name)
        for seed in range(PER_FAMILY):
            space = model.space(0)
            rng = np.random.default_rng(seed)
            deviation = 0.8 * rng.normal(size=(1, model.runner.w_dim)).repeat(3, axis=0)
            pixels = model.buffer
            model.runner.picture_into(space.w_plus(deviation.astype(np.float32), 1.0), 1.0, pixels)
            small = np.asarray(pixels, np.float64) / 255
            side = small.shape[0] * 4
            crops = [tried[way](small, (side, side)) for way in ("bilinear", "spline", "edges crisp")]
            row = np.concatenate([crop[side // 4 :, side // 4 :][:560, :560] for crop in crops], axis=1)
            Image.fromarray(np.rint(255 * np.clip(row, 0, 1)).astype(np.uint8)).save(
                folder / f"{name}-{seed}.png"
            )


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--by", type=int, default=4)
    parser.add_argument("--families", nargs="+", default=["bloom", "silk", "nebula", "cymatics"])
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--models", nargs="+", default=[])
    options = parser.parse_args()
    ways = Ways()
    tried: dict[str, Callable[..., np.ndarray]] = {
        "bilinear": ways.bilinear,
        "spline": ways.spline,
        "edges": ways.edges((0.0,), SHARPEN),
        "edges crisp": ways.edges((0.5,), SHARPEN),
        "edges twice": ways.edges((0.0, 0.0), SHARPEN),
        "edges twice crisp": ways.edges((0.5, 0.5), SHARPEN),
        "edges twice crisp first": ways.edges((0.8, 0.0), SHARPEN),
    }
    if options.models:
        _look(options.models, options.pictures or Path("."), ways, tried)
        return 0
    print(f"{'':24}" + "".join(f"{family:>18}" for family in options.families) + "               all")
    scores: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in tried}
    for family in options.families:
        for name in tried:
            scores[name].append([])
        for seed in range(PER_FAMILY):
            true = np.asarray(picture(FAMILIES[family], seed, options.side), np.float64) / 255
            small = smaller(true, options.by)
            crops = []
            for name, way in tried.items():
                made = np.clip(way(small, (options.side, options.side)), 0, 1)
                scores[name][-1].append((psnr(made, true), ssim(made, true)))
                crops.append(made)
            if options.pictures is not None:
                options.pictures.mkdir(parents=True, exist_ok=True)
                third = options.side // 3
                row = [image[third : third + 320, third : third + 320] for image in (true, *crops)]
                data = np.rint(255 * np.concatenate(row, axis=1)).astype(np.uint8)
                Image.fromarray(data).save(options.pictures / f"{family}-{seed}.png")
    for name, families in scores.items():
        means = [np.mean(one, axis=0) for one in families]
        cells = "".join(f"{p:9.2f} {s:8.4f}" for p, s in [*means, np.mean(means, axis=0)])
        print(f"{name:24}{cells}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
