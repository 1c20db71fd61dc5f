"""The bench: fair baselines, honest sums, and a click that is found again in the pictures."""

from __future__ import annotations

import builtins
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lavlive.bench import canvas as bench_canvas
from lavlive.bench.baselines import EagerStream, LastSecond, Textbook
from lavlive.bench.canvas import measure_canvas
from lavlive.bench.exported import exported_baselines
from lavlive.bench.latency import (
    RATE,
    STAGES,
    ClickFinder,
    LatencyResults,
    click_track,
    follow,
    measure_latency,
    plot,
)
from lavlive.bench.measure import Samples, Summary, interleave, slope_per_minute, table
from lavlive.bench.received import Seen, delay, likeness
from lavlive.bench.scale import measure_outputs, measure_resolutions, measure_windows
from lavlive.bench.show import Shown
from lavlive.bench.stages import Ratio, measure_stages
from lavlive.commands import bench
from lavlive.commands.arguments import parse
from lavlive.commands.options import BenchOptions
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.errors import DisplayError, UsageError
from lavlive.generator.checkpoint import LoadedGenerator, save_generator
from lavlive.generator.network import Architecture, Generator, GeneratorConfig
from lavlive.link.contents import Journey, Picture, Sound
from lavlive.link.memory import SharedBlock
from lavlive.link.settings import EngineSettings
from lavlive.parameters import Values
from lavlive.stage.output.base import OutputSettings

HOP = 1 / 75


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small_generator(architecture: Architecture = "skip", clamp: float | None = None) -> Generator:
    torch.manual_seed(0)
    config = GeneratorConfig(
        32,
        z_dim=16,
        w_dim=512,
        mapping_layers=1,
        channel_base=256,
        channel_max=16,
        architecture=architecture,
        conv_clamp=clamp,
    )
    made = Generator(config)
    for parameter in made.parameters():
        if parameter.ndim < 2:
            parameter.data += 0.2 * torch.randn_like(parameter)
    return made.freeze()


def options(*typed: str) -> BenchOptions:
    made = parse(["bench", *typed]).options()
    assert isinstance(made, BenchOptions)
    return made


def shown(captured: float, change: float, journey: Journey | None = None) -> Shown:
    pixels = np.zeros((0, 0, 3), np.uint8)
    stages = journey or Journey(*(captured + step for step in (0.001, 0.003, 0.004, 0.006)))
    picture = Picture(pixels, 1, captured, captured + 0.016, 0, stages)
    return Shown(picture, captured + 0.020, captured + 0.021, change)


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_the_textbook_makes_the_same_pictures(architecture: Architecture) -> None:
    made = small_generator(architecture, clamp=0.7)
    w_plus = torch.randn(2, made.num_ws, 512)
    with torch.inference_mode():
        ours = (made.synthesis(w_plus, 0.6) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    theirs = Textbook(made.synthesis).picture(w_plus, 0.6)
    assert (ours.permute(0, 2, 3, 1).int() - theirs.int()).abs().max() <= 1


def test_the_eager_baseline_streams_and_the_last_second_is_what_the_package_hears() -> None:
    torch.manual_seed(0)
    original = build_seanet_encoder(causal=True, pad_mode="constant", n_filters=4, dimension=8)
    sound = (0.1 * np.random.default_rng(0).standard_normal((80, 320))).astype(np.float32)
    eager, again = EagerStream(original), LastSecond(original, 24_000)
    ours = StreamingEncoder(original)
    for hop in sound:
        exact, streamed, newest = ours.step(hop), eager.step(hop), again.step(hop)
        np.testing.assert_allclose(streamed, exact, atol=1e-5)
    with torch.inference_mode():
        heard = torch.from_numpy(sound.reshape(1, 1, -1)[:, :, -24_000:])
        np.testing.assert_allclose(newest[0], original(heard)[0, :, -1].numpy(), atol=1e-6)


def test_tasks_run_in_turn_and_each_is_charged_its_own_time() -> None:
    now = 0.0
    order = []

    def takes(name: str, seconds: float) -> Any:
        def task() -> None:
            nonlocal now
            order.append(name)
            now += seconds

        return task

    tasks = {"quick": takes("quick", 0.001), "slow": takes("slow", 0.1)}
    rests: list[float] = []
    samples = interleave(tasks, 2.0, clock=lambda: now, processor=lambda: now / 2, sleep=rests.append)
    assert order[-10:] == ["quick"] * 5 + ["slow"] * 5
    assert len(rests) == 2 * 5
    assert samples["quick"].summary.median == pytest.approx(1.0)
    assert samples["slow"].summary.median == pytest.approx(100.0)
    assert samples["slow"].summary.processor == pytest.approx(50.0)
    assert len(samples["slow"].clock) == 3 * 5


def test_a_summary_is_in_milliseconds_and_growth_per_minute() -> None:
    summary = Summary.of([0.001 * n for n in range(1, 101)])
    assert (summary.median, summary.count) == (pytest.approx(50.5), 100)
    assert summary.p10 == pytest.approx(10.9)
    assert summary.p95 == pytest.approx(95.05)
    assert summary.p99 == pytest.approx(99.01)
    assert slope_per_minute([10.0, 40.0, 70.0], [100.0, 101.0, 102.0]) == pytest.approx(2.0)
    assert slope_per_minute([1.0], [5.0]) == 0.0
    assert table("Title", ("a", "b"), [["x", 1.234], ["long", None]]) == (
        "Title\na     b\nx     1.23\nlong     –"
    )


def test_a_click_in_the_track_is_found_to_the_sample() -> None:
    samples, begins = click_track(5)
    finder = ClickFinder()
    for start in range(0, len(samples), 777):
        piece = samples[start : start + 777]
        last = start + len(piece) - 1
        finder.take(Sound(np.stack([piece, piece], 1), RATE, last + 1, 100 + last / RATE))
    assert finder.times == pytest.approx([100 + begin for begin in begins], abs=1e-9)


def test_a_click_is_followed_to_the_first_picture_that_changed_and_its_stages_add_up() -> None:
    calm = [shown(10 + n * HOP, 0.01) for n in range(6)]
    click = calm[-1].picture.captured + 0.4 * HOP
    first = click + 0.6 * HOP
    ways = [*calm, shown(first, 5.0), shown(first + HOP, 9.0)]
    found = follow(click, ways)
    assert found is not None
    assert tuple(found.stages) == STAGES
    assert found.total == pytest.approx(first + 0.021 - click)
    assert sum(found.stages.values()) == pytest.approx(found.total)
    assert found.stages["hop"] == pytest.approx(0.6 * HOP)
    assert found.stages["wait"] == pytest.approx(0.002)


def test_a_click_behind_a_later_hop_waited_for_it() -> None:
    calm = [shown(10 + n * HOP, 0.01) for n in range(6)]
    click = calm[-1].picture.captured + 0.4 * HOP
    found = follow(click, [*calm, shown(click + 1.6 * HOP, 5.0)])
    assert found is not None
    assert found.stages["hop"] == pytest.approx(0.6 * HOP)
    assert found.stages["wait"] == pytest.approx(0.002 + HOP)
    assert sum(found.stages.values()) == pytest.approx(found.total)


def test_a_click_without_a_changed_picture_is_not_counted() -> None:
    restless = [shown(10 + n * HOP, 3.0) for n in range(40)]
    assert follow(10.2, restless) is None
    assert follow(10.0, [shown(11.0, 9.0)]) is None


def test_a_picture_carries_when_each_stage_passed_it_on() -> None:
    journey = Journey(1.0, 2.0, 3.0, 4.0)
    with SharedBlock.create() as link:
        link.write_picture(np.zeros((4, 4, 3), np.uint8), 0.5, 5.0, 7, journey)
        picture = link.read_picture()
        assert picture is not None
        assert picture.journey == journey


def test_clicks_go_through_a_really_running_show(tmp_path: Path) -> None:
    model = tmp_path / "small.safetensors"
    save_generator(model, small_generator(), {"name": "small"})
    settings = EngineSettings(model=str(model), runner="torch", rate=30.0)
    results = measure_latency(settings, clicks=3)
    assert results.route == "ring"
    assert results.played == 3
    assert 1 <= len(results.clicks) <= 3
    for click in results.clicks:
        assert min(click.stages.values()) >= -1e-6
        assert sum(click.stages.values()) == pytest.approx(click.total)
    assert results.deliberate_ms["coarse"] > results.deliberate_ms["fine"] > 0
    figure = tmp_path / "latency.png"
    plot(results, str(figure))
    assert figure.read_bytes()[:4] == b"\x89PNG"


def test_a_ratio_by_turns_survives_a_processor_that_changes_its_pace() -> None:
    """Every second turn at half the pace; one call of ours in each turn is disturbed."""
    ours, theirs = Samples(), Samples()
    for turn in range(10):
        pace = 1 + turn % 2
        ours.clock += [0.01 * pace, 0.5, 0.01 * pace]
        theirs.clock += [0.04 * pace] * 3
    ours.processor, theirs.processor = ours.clock, theirs.clock
    ratio = Ratio.of("ours", "theirs", {"ours": ours, "theirs": theirs})
    assert (ratio.median, ratio.p5, ratio.p95) == pytest.approx((4, 4, 4))


def test_the_exported_textbook_makes_the_textbooks_pictures() -> None:
    made = small_generator()
    exported = exported_baselines(made, threads=1)
    assert exported.lacking == {}
    assert len(exported.makers) >= 2
    w_plus = np.random.default_rng(0).standard_normal((made.num_ws, made.config.w_dim)).astype(np.float32)
    expected = Textbook(made.synthesis).picture(torch.from_numpy(w_plus)[None])[0].numpy()
    assert expected.std() > 1
    for make in exported.makers.values():
        assert np.abs(make(w_plus).astype(int) - expected).max() <= 1


def test_stages_are_timed_beside_the_baselines_and_kept_as_json(tmp_path: Path) -> None:
    model = tmp_path / "small.safetensors"
    save_generator(model, small_generator(), {"name": "small"})
    results = measure_stages(str(model), "bundled", ["torch", "openvino"], seconds=0.3, threads=1)
    names = " ".join(results.summaries)
    for stage in ("encode", "map", "generate (torch, threads: 1)", "hand over", "(a)", "(b)", "(c)"):
        assert stage in names
    best = {ratio.what: ratio for ratio in results.best}
    for what, ratio in best.items():
        assert ratio.times == min(other.times for other in results.ratios if other.what == what)
    compared = {ratio.baseline for ratio in results.ratios if ratio.what.startswith("generate")}
    assert {"(d) textbook exported, OpenVINO", "(d) textbook exported, ONNX Runtime"} < compared
    assert all(summary.median > 0 for summary in results.summaries.values())
    assert next(r.times for r in results.ratios if r.baseline.startswith("(a)")) > 1
    assert all(gap.largest <= 2 and gap.mean <= 0.25 for gap in results.differences)
    target = tmp_path / "figures.json"
    bench.write_json(target, {"machine": bench.machine(), "stages": results})
    kept = json.loads(target.read_text())
    assert kept["stages"]["generator"] == "small"
    assert kept["machine"]["cores"] >= 1


def test_cost_is_measured_over_resolutions_outputs_and_windows() -> None:
    loaded = LoadedGenerator(small_generator(), {}, "small")
    by_size = measure_resolutions(loaded, "torch", 0.1, resolutions=(16, 64))
    assert by_size[64].processor > by_size[16].processor  # type: ignore[operator]
    by_number = measure_outputs(0.1, canvas=(320, 180))
    assert by_number[4].processor > by_number[1].processor  # type: ignore[operator]
    assert set(measure_windows("bundled", 0.1, windows=(8.0,))) == {8.0}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--seconds", "0"], "above 0"),
        (["--threads", "0"], "at least 1"),
        (["--plot", "x.png"], "--latency"),
        (["--aloud"], "--latency"),
        (["--latency", "0"], "at least one click"),
    ],
)
def test_options_that_make_no_sense_are_refused(typed: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bench.run_bench(options(*typed))


def test_the_show_is_watched_without_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_show", lambda _: {"rate": 60.0})
    target = tmp_path / "figures.json"
    bench.run_bench(options("--no-stages", "--json", str(target)))
    kept = json.loads(target.read_text())
    assert kept["show"] == {"rate": 60.0}
    assert "stages" not in kept
    with pytest.raises(SystemExit):
        options("--no-stages", "--no-show")
    assert "not allowed" in capsys.readouterr().err


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"lavlive\[study\]"):
        plot(LatencyResults("ring", [], 0, {}, {}), "latency.png")


def test_figures_that_cannot_be_written_are_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        bench.write_json(tmp_path / "nowhere" / "x.json", {})


def test_effects_are_timed_by_their_number() -> None:
    try:
        results = measure_canvas(0.0, (32, 18), counts=(0, 3))
    except DisplayError as error:
        pytest.skip(str(error))
    assert results.renderer
    assert set(results.slots) == {0, 3}
    assert results.slots[3].count >= 1
    assert results.slots[3].processor is not None
    assert results.slots[3].median > 0
    assert options("--canvas").canvas


def test_sound_lost_beside_the_canvas_is_counted_by_the_number_of_effects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Show:
        """Loses a block of 320 samples with every picture that has effects."""

        def __init__(self, *_: object, canvas: OutputSettings, **__: object) -> None:
            self.output = self.link = self
            self.values = Values()
            self.counted = {"picture.count": 7.0, "audio.xruns": 2.0, "audio.dropped": 640.0}
            assert canvas.canvas == (32, 18)

        __enter__ = wait_for_pictures = lambda self: self

        def __exit__(self, *_: object) -> None:
            pass

        def read_canvas(self) -> None:
            pass

        def number(self, name: str) -> float:
            return self.counted[name]

        def step(self) -> object:
            self.counted["picture.count"] += 1
            if self.values["fx1.shader"] != "none":
                self.counted["audio.xruns"] += 1
                self.counted["audio.dropped"] += 320
            return object()

    monkeypatch.setattr(bench_canvas, "BenchShow", Show)
    monkeypatch.setattr(bench_canvas, "_SETTLING_SECONDS", 0.0)
    try:
        results = measure_canvas(0.0, (32, 18), counts=(0, 3), engine=EngineSettings())
    except DisplayError as error:
        pytest.skip(str(error))
    lost = {count: (one.xruns, one.dropped_samples) for count, one in results.beside_sound.items()}
    assert lost == {0: (0, 0), 3: (1, 320)}


def test_how_late_pictures_arrive_is_told_from_what_was_given_away_softened_and_not_all_of_it() -> None:
    random = np.random.default_rng(1)
    times = 10 + np.arange(150) / 60
    late, clicks = 0.31, [10.6, 11.04, 11.47]

    def pixels(time: float) -> np.ndarray:
        """A picture that each click moves a little, and that goes back."""
        columns = np.linspace(60, 180, 64)
        for number, click in enumerate(clicks):
            if time >= click:
                columns += 3.0 * np.exp((click - time) / 0.12) * np.sin(np.arange(64) / 9 + number)
        return np.repeat(np.repeat(columns[None, :, None], 36, 0), 3, 2).astype(np.uint8)

    given = [Seen(float(time), likeness(pixels(time))) for time in times]
    kept = random.random(150) > 0.2
    arrived = [
        Seen(
            seen.at + late + random.uniform(-0.004, 0.004),
            seen.likeness * 0.98 + random.normal(0, 0.1, 24),
        )
        for seen in itertools.compress(given, kept)
    ]
    found = [delay(click + 0.01, given, arrived) for click in clicks]
    assert found == pytest.approx([late] * 3, abs=0.008)


def test_of_pictures_that_stand_still_or_are_others_nobody_tells_how_late_they_are() -> None:
    random = np.random.default_rng(2)
    still = [Seen(at / 60, np.full(24, 80.0)) for at in range(240)]
    moving = [Seen(at / 60, random.normal(80, 2, 24)) for at in range(240)]
    assert delay(1.0, still, still) is None
    assert delay(1.0, moving, still) is None
    assert delay(1.0, moving, moving) == pytest.approx(0.0, abs=0.001)
