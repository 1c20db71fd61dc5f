"""How cost grows: with the resolution, with the number of outputs, with the length of the windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from lavlive.bench.measure import Summary, interleave
from lavlive.bench.stages import cycle, music, open_generator
from lavlive.encoder.calibration import calibrate
from lavlive.encoder.weights import load_encoder
from lavlive.errors import RunnerError
from lavlive.generator.checkpoint import LoadedGenerator, stylegan2_of
from lavlive.generator.network import Generator
from lavlive.generator.runner import Runner, open_runner
from lavlive.latent.path import LatentPath
from lavlive.link.contents import Picture
from lavlive.parameters import GROUPS, Values
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.opening import open_output

RESOLUTIONS = (64, 128, 256, 512, 1024)
OUTPUTS = (1, 2, 3, 4)
WINDOWS = (0.1, 1.0, 4.0, 8.0)
_CANVAS = (1280, 720)


@dataclass(frozen=True)
class ScaleResults:
    """Summaries in milliseconds, by resolution, number of outputs, and window in seconds."""

    resolutions: dict[int, Summary]
    outputs: dict[int, Summary]
    windows: dict[float, Summary]


def measure_scale(
    model: str | None, encoder: str, runner: str, seconds: float, output: str = "headless"
) -> ScaleResults:
    """About ``seconds`` for each of the three questions."""
    return ScaleResults(
        measure_resolutions(open_generator(model), runner, seconds),
        measure_outputs(seconds, output),
        measure_windows(encoder, seconds),
    )


def measure_resolutions(
    loaded: LoadedGenerator, runner: str, seconds: float, resolutions: tuple[int, ...] = RESOLUTIONS
) -> dict[int, Summary]:
    """Time per picture of untrained networks that are as wide at their own top as the given one."""
    given = stylegan2_of(loaded).config
    if runner == "auto":
        chosen, _ = open_runner(loaded)
        runner = chosen.name
        chosen.close()
    tasks: dict[str, Callable[[], object]] = {}
    for resolution in resolutions:
        base = given.channel_base * resolution // given.resolution
        config = replace(given, resolution=resolution, channel_base=base)
        made = LoadedGenerator(Generator(config).freeze(), {}, f"scale-{resolution}")
        try:
            opened, _ = open_runner(made, runner)
        except (RunnerError, torch.cuda.OutOfMemoryError):
            # The rest of the table is worth having.
            continue
        tasks[str(resolution)] = _picture_task(opened, config.num_ws, config.w_dim)
    return {int(name): part.summary for name, part in interleave(tasks, seconds).items()}


def _picture_task(runner: Runner, num_ws: int, w_dim: int) -> Callable[[], object]:
    w_plus = np.random.default_rng(0).standard_normal((8, num_ws, w_dim)).astype(np.float32)
    out = np.empty((runner.height, runner.width, 3), np.uint8)
    return cycle(w_plus, lambda w: runner.picture_into(w, 1.0, out))


def measure_outputs(
    seconds: float, kind: str = "headless", canvas: tuple[int, int] = _CANVAS
) -> dict[int, Summary]:
    """Time to show one new picture on 1 to 4 outputs of that canvas, and to read them back."""
    values = Values()
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (4, 256, 256, 3), dtype=np.uint8)
    settings = OutputSettings(canvas=canvas, vsync=False, visible=False)
    opened = [open_output(kind, settings) for _ in range(max(OUTPUTS))]
    count = 0

    def show_on(number: int) -> None:
        nonlocal count
        count += 1
        picture = Picture(pixels[count % 4], count, 0.0, 0.0, 0)
        for each in opened[:number]:
            each.present(picture, values, count / 60)
            each.read_canvas()

    tasks = {str(number): (lambda n=number: show_on(n)) for number in OUTPUTS}
    try:
        return {int(name): part.summary for name, part in interleave(tasks, seconds).items()}
    finally:
        for each in opened:
            each.close()


def measure_windows(
    encoder_name: str, seconds: float, windows: tuple[float, ...] = WINDOWS
) -> dict[float, Summary]:
    """Time of a hop after the encoder, by the length of all three windows."""
    rest: dict[float, list[float]] = {window: [] for window in windows}
    tasks: dict[str, Callable[[], object]] = {}
    for window in windows:
        encoder = load_encoder(encoder_name)
        path = LatentPath(encoder, calibrate(encoder))
        numbers = Values({f"smoothing.{group}": window for group in GROUPS}).numbers
        tasks[str(window)] = _window_task(path, music(encoder, 64), numbers, rest[window])
    interleave(tasks, seconds)
    return {window: Summary.of(times) for window, times in rest.items()}


def _window_task(
    path: LatentPath, hops: np.ndarray, numbers: np.ndarray, times: list[float]
) -> Callable[[], object]:
    # The path's own clock leaves the encoder out.
    return cycle(hops, lambda hop: times.append(path.step(hop, numbers).times[1]))
