"""What each command can be asked for: one dataclass a command, the same typed in a shell and made in Python.

`lavlive.commands.arguments` makes them of what was typed, and only there; nothing changes one after that.
Each checks itself when it is made: UsageError says what is wrong. What needs a look at the machine (a file, a
device, a model) is found out when the command runs. Nothing heavy is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from lavlive.commands.typed import check_canvas, check_model_output, check_size, parse_rate, parse_slice
from lavlive.errors import UsageError
from lavlive.link.settings import Fill

AnyPath = str | Path
PublishedEncoder = Literal["encodec", "encodec-32khz", "encodec-48khz"]

VIDEO_ENDINGS = (".mp4", ".mov", ".mkv", ".png")
SHORTEST_STUDY_SECONDS = 20.0


def text_of(path: AnyPath | None) -> str | None:
    """A path as text, for what travels between processes."""
    return None if path is None else str(path)


def _check_time(option: str, seconds: float | None) -> None:
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError(f"{option} takes a time above 0, not {seconds:g}.")


def _check_display_rate(rate: float) -> None:
    if not 1 <= rate <= 240:
        raise UsageError(f"--rate takes 1 to 240 pictures per second, not {rate:g}.")


def _check_one_of(**chosen: object) -> None:
    given = [f"--{name}" for name, value in chosen.items() if value not in (None, False)]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} cannot go together: choose one.")


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """What pictures are made with, live and rendered.

    Attributes:
        model: a bundled generator's name, or a StyleGAN file; live also a folder, a bank of them. None takes
            the preset's, or the first bundled one.
        encoder: ``bundled``, ``encodec``, ``encodec-32khz``, … or a file.
        preset: the name of the preset to begin with.
        settings: values to begin with, by parameter; of the type in docs/parameters.md, or as text.
        learned: file of a learned projection, for ``projection.kind`` ``learned``.
        runner: of the generator: ``auto``, which measures, ``torch``, ``openvino`` or ``cuda``.
        shape: of the pictures: ``16:9``, ``4:3``, …, ``screen``, or ``own`` for the model's own.
        fill: how the model's beginnings come to that shape.
        log_w: file that w+ of every hop is written to, raw float32.
        channels: which channels to hear: ``3,4``, ``all``, ``left``, ``right``, ``mid`` or ``side``; None for
            all, of an input the first two.
        shaders: a folder of ISF files beside the bundled ones and the user's.
        points: a file of points of W, from `ModelProjectOptions`: keyframes to begin with.
        mix: another model to mix in as ``mix.coarse``, ``mix.from`` and so on ask for: as `model`, no folder.
    """

    model: AnyPath | None = None
    encoder: str = "bundled"
    preset: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    points: AnyPath | None = None
    mix: AnyPath | None = None
    learned: AnyPath | None = None
    runner: str = "auto"
    shape: str = "screen"
    fill: Fill = "auto"
    log_w: AnyPath | None = None
    channels: str | None = None
    shaders: AnyPath | None = None


@dataclass(frozen=True, kw_only=True)
class LiveOptions(LookOptions):
    """The show. Of `track`, `input`, `loopback` and `demo` one at most; with none, what the last show heard.

    Attributes:
        track: file with sound.
        input: a line-in, by name or index.
        loopback: an output whose sound is heard, by name; "" for the default one.
        demo: the bundled track.
        aloud: whether a track is played aloud.
        loop: whether a track begins again at its end.
        fullscreen: begin in full screen.
        monitor: index or name of the monitor for full screen.
        headless: without a window.
        badge: draw notices over the picture, too, while it is in a window.
        panel: whether the operator's panel opens by itself.
        canvas: width and height of the canvas, at most 8192 and 4096; None for the mapping's or the window's.
        surfaces: file of what is shown on which screen; None for the user's own, if there is one.
        seconds: end so long after the first picture; None runs until it is closed.
        record: video file to write meanwhile: mp4, mov or mkv.
        record_size: width and height of the video; None for the canvas's.
        record_codec: of the video: ``h264``, ``h265``, ``av1`` or ``prores``.
        record_rate: pictures per second of the video, 1 to 120.
        stream: addresses to stream to, or names of them in streams.toml.
        ndi: give the canvas away by NDI.
        camera: be a camera for other programs.
        syphon: share the canvas by Syphon.
        spout: share the canvas by Spout.
        name: of the canvas for other programs.
        rate: pictures per second, at most, 1 to 240.
        midi: only this MIDI input; None for all.
        ableton: share the beat by Ableton Link.
        osc: HOST:PORT to hear OSC at, ``off``, or None for 127.0.0.1:9000.
        osc_allow: hosts that may send OSC from the network.
        osc_send: HOST:PORT of surfaces that are told of every change.
        remote: PORT or HOST:PORT of the page for phones, "" for 0.0.0.0:9080, ``off``, or None for where a
            show let phones in that crashed.
        debug: let the engine print to the terminal, not to its file.
        conduct: address at which nodes are told what to show; "" for this machine alone, None for no nodes.
        wall_key: file with the key that conductor and nodes share.
        wall_certificates: folder of certificates, for an address that begins with tls or quic.
    """

    track: AnyPath | None = None
    input: str | None = None
    loopback: str | None = None
    demo: bool = False
    aloud: bool = True
    loop: bool = True
    fullscreen: bool = False
    monitor: str | int | None = None
    headless: bool = False
    badge: bool = False
    panel: bool = True
    canvas: tuple[int, int] | None = None
    surfaces: AnyPath | None = None
    seconds: float | None = None
    record: AnyPath | None = None
    record_size: tuple[int, int] | None = None
    record_codec: str = "h264"
    record_rate: Fraction | float | str = 30
    stream: tuple[str, ...] = ()
    ndi: bool = False
    camera: bool = False
    syphon: bool = False
    spout: bool = False
    name: str = "lavlive"
    rate: float = 60.0
    midi: str | None = None
    ableton: bool = False
    osc: str | None = None
    osc_allow: tuple[str, ...] = ()
    osc_send: tuple[str, ...] = ()
    remote: str | None = None
    debug: bool = False
    conduct: str | None = None
    wall_key: AnyPath | None = None
    wall_certificates: AnyPath | None = None

    def __post_init__(self) -> None:
        _check_one_of(track=self.track, input=self.input, loopback=self.loopback, demo=self.demo)
        _check_time("--seconds", self.seconds)
        _check_display_rate(self.rate)
        if self.record_size is not None:
            check_size(self.record_size)
        if self.canvas is not None:
            check_canvas(self.canvas)
        parse_rate(self.record_rate, "--record-rate")

    @property
    def exact_record_rate(self) -> Fraction:
        """Pictures per second of a recording."""
        return parse_rate(self.record_rate, "--record-rate")

    @property
    def names_source(self) -> bool:
        """Whether it says what to listen to."""
        return self.demo or (self.track, self.input, self.loopback) != (None, None, None)


@dataclass(frozen=True, kw_only=True)
class NodeOptions(LiveOptions):
    """A node of a wall: a show without sound of its own, that shows what a conductor says.

    Attributes:
        connect: address of the conductor; "" for one on this machine, "find" for the one on the network.
        node: this node's name in the conductor's panel; None for the computer's and a number.
        whole: width and height of the wall's canvas, of which this node shows a part.
        slice: X,Y,W,H of the part, in pixels of the whole, or as shares of it where none is above 1.
    """

    connect: str = ""
    node: str | None = None
    whole: tuple[int, int] = (1920, 1080)
    slice: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.whole)
        if self.slice is not None:
            parse_slice(self.slice, self.whole)

    @property
    def part(self) -> tuple[float, float, float, float]:
        """What it shows, as shares of the whole."""
        return (0.0, 0.0, 1.0, 1.0) if self.slice is None else parse_slice(self.slice, self.whole)


@dataclass(frozen=True)
class RenderOptions(LookOptions):
    """A track to a video, a report of what can look wrong, or both.

    Attributes:
        track: file with sound.
        video: file to write: mp4, mov or mkv; png for a file a picture. Beside one that exists, VIDEO-2.mp4
            is written.
        codec: of the video: ``h264``, ``h265``, ``av1`` or ``prores``.
        report: JSON file for the measurements.
        force: write over a video that exists.
        fps: pictures per second, 1 to 120: a number, or a ratio such as ``30000/1001``.
        size: width and height of the video in pixels; even, 64 to 4096.
        seconds: only so much of the track.
        as_published: the paper's path: EnCodec at 32 kHz unless `encoder` says another, centred moving
            averages, no adaptation, no energy kept, no limit.
    """

    track: AnyPath
    video: AnyPath | None = None
    _: KW_ONLY
    report: AnyPath | None = None
    force: bool = False
    codec: str = "h264"
    fps: Fraction | float | str = 30
    size: tuple[int, int] = (1280, 720)
    seconds: float | None = None
    as_published: bool = False

    def __post_init__(self) -> None:
        parse_rate(self.fps)
        _check_time("--seconds", self.seconds)
        check_size(self.size)
        if self.video is None and self.report is None:
            raise UsageError("render wants -o VIDEO.mp4, --report FILE.json, or both.")
        if self.video is not None and Path(self.video).suffix.lower() not in VIDEO_ENDINGS:
            endings = ", ".join(VIDEO_ENDINGS)
            instead = Path(self.video).with_suffix(".mp4")
            raise UsageError(f"A video ends in {endings} (a file a picture): write -o {instead}.")

    @property
    def exact_rate(self) -> Fraction:
        """Pictures per second."""
        return parse_rate(self.fps)


@dataclass(frozen=True, kw_only=True)
class FarmOptions(RenderOptions):
    """A track to a video, drawn by the workers of a Ray cluster.

    Attributes:
        ray: address of a cluster that runs, ``auto`` for one on this machine; None begins one here.
        workers: how many draw; None for the graphics cards, or half of the processor's cores.
    """

    ray: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.video is None or self.report is not None:
            raise UsageError("farm render wants -o FILM.mp4, and makes no report.")
        if Path(self.video).suffix.lower() == ".png":
            raise UsageError("farm render writes one film, no file a picture: use lavlive render for that.")
        if self.workers is not None and not 1 <= self.workers <= 256:
            raise UsageError(f"--workers takes 1 to 256, not {self.workers}.")

    @property
    def film(self) -> AnyPath:
        """The file to write."""
        assert self.video is not None
        return self.video


@dataclass(frozen=True)
class DevicesOptions:
    """Everything that a show can be plugged into; there is nothing to choose."""


@dataclass(frozen=True)
class OutputsOptions:
    """Streams, other programs and recordings that this machine can do; there is nothing to choose."""


@dataclass(frozen=True)
class ModelInfoOptions:
    """What a generator's file holds.

    Attributes:
        model: file, or a bundled generator's name; None for the first of these.
        class_index: the class of a conditional model whose statistics are told; None for all together.
    """

    model: AnyPath | None = None
    class_index: int | None = None


@dataclass(frozen=True)
class ModelConvertOptions:
    """A foreign generator as lavlive's safetensors.

    Attributes:
        model: the file to read.
        output: the safetensors file to write.
    """

    model: AnyPath
    output: AnyPath


@dataclass(frozen=True)
class ModelDirectionsOptions:
    """What each dial of a generator does, as a sheet of pictures; its name, if it is given one.

    Attributes:
        model: a bundled generator's name, or a file.
        sheet: the jpg or png to draw, from −3 to 3 of each dial.
        names: what to call dials, by ``coarse.1`` and so on, in a file beside the model.
        keep: write the dials beside the model, so that no show searches for them.
        seed: which picture is turned.
    """

    model: AnyPath
    _: KW_ONLY
    sheet: AnyPath | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sheet is not None and Path(self.sheet).suffix.lower() not in (".jpg", ".jpeg", ".png"):
            raise UsageError(f"{self.sheet}: the sheet is a .jpg or a .png.")


@dataclass(frozen=True)
class ModelMixOptions:
    """A model of two.

    Attributes:
        model, other: bundled generators' names, or files; W stays the first one's.
        output: the safetensors file to write.
        swapped_from: from this resolution on, all layers are the other one's.
        blend: how much of the other one the coarse, middle and fine layers have, 0 to 1.
    """

    model: AnyPath
    other: AnyPath
    output: AnyPath
    _: KW_ONLY
    swapped_from: int | None = None
    blend: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        check_model_output(Path(self.output))
        if len(self.blend) != 3 or not all(0 <= amount <= 1 for amount in self.blend):
            raise UsageError("--blend takes three amounts from 0 to 1, coarse,middle,fine, such as 0,0.5,1.")


@dataclass(frozen=True)
class ModelProjectOptions:
    """Points of a model's W whose pictures are like pictures from elsewhere.

    Attributes:
        model: a bundled generator's name, or a file.
        pictures: files of pictures.
        output: the npz file of points to write, or to go on with.
        steps: of each search; more are slower and nearer.
        space: ``w+``, a w per layer group, or ``w``, one w for all.
    """

    model: AnyPath
    pictures: Sequence[AnyPath]
    output: AnyPath
    _: KW_ONLY
    steps: int = 300
    space: str = "w+"

    def __post_init__(self) -> None:
        if Path(self.output).suffix != ".npz":
            raise UsageError(f"{self.output}: points are written as npz; let the name end in .npz")
        if not self.pictures:
            raise UsageError("There is no picture to project.")
        if not 1 <= self.steps <= 100_000:
            raise UsageError(f"--steps takes 1 to 100000, not {self.steps}.")
        if self.space not in ("w", "w+"):
            raise UsageError(f"--space is w or w+, not {self.space!r}.")


@dataclass(frozen=True)
class ModelFetchOptions:
    """Published encoder weights into the cache; CC BY-NC 4.0.

    Attributes:
        name: EnCodec at 24 kHz, at 32 kHz (the paper's) or at 48 kHz.
    """

    name: PublishedEncoder


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Times of every stage and of a show; or of clicks through one (`latency`); or how cost grows (`scale`,
    `canvas`).

    Attributes:
        json: file for every figure.
        model: a bundled generator's name or a file; None for the first bundled one.
        encoder: ``bundled``, ``encodec``, … or a file.
        runner: names of the generator's runners; () for all that can be had, and ``auto`` for the show.
        seconds: of each measurement.
        threads: of the generator, when stages are timed on a CPU.
        rate: pictures per second of the show, at most.
        window: show in a window instead of headless.
        show: whether a show is watched.
        stages: whether stages are timed.
        scale: how cost grows, in place of the rest.
        canvas: what effects cost, in place of the rest.
        latency: so many clicks from sound to picture, in place of the rest.
        output: watch the clicks at the other end of an output, too: ``stream`` or ``ndi``.
        plot: figure of these: png, svg or pdf.
        aloud: play the clicks through the default output.
        input: hear them through this line-in.
        loopback: hear them through this output's loopback; "" for the default one.
    """

    json: AnyPath | None = None
    model: str | None = None
    encoder: str = "bundled"
    runner: tuple[str, ...] = ()
    seconds: float = 20.0
    threads: int | None = None
    rate: float = 60.0
    window: bool = False
    show: bool = True
    stages: bool = True
    scale: bool = False
    canvas: bool = False
    latency: int | None = None
    output: str | None = None
    plot: AnyPath | None = None
    aloud: bool = False
    input: str | None = None
    loopback: str | None = None

    def __post_init__(self) -> None:
        _check_one_of(aloud=self.aloud, input=self.input, loopback=self.loopback)
        _check_time("--seconds", self.seconds)
        _check_display_rate(self.rate)
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"--threads takes at least 1, not {self.threads}.")
        if self.latency is None:
            if self.output is not None:
                raise UsageError("--output is watched while clicks are sent: use it with --latency.")
            if self.plot is not None:
                raise UsageError("--plot draws the latency: use it with --latency.")
            if self.aloud or self.input is not None or self.loopback is not None:
                raise UsageError("--aloud, --input and --loopback carry clicks: use them with --latency.")


@dataclass(frozen=True)
class StudyOptions:
    """Does it follow the music? The method tested on tracks, with a report.

    Attributes:
        tracks: files with sound, or folders of them; ten or more say something.
        folder: for the report; a study that stopped goes on there.
        quick: a few conditions and two seeds, to see that it works.
        so_far: run nothing more, and report what is done on every track.
        seeds: number of random projections.
        seconds: heard of each track, 20 to 3600.
        model: a bundled generator's name or a file; None for the first bundled one.
        encoder: ``bundled``, ``encodec``, … or a file.
        runner: of the generator.
        jobs: processes; None for one a core, at most 8.
    """

    tracks: tuple[AnyPath, ...]
    folder: AnyPath
    _: KW_ONLY
    quick: bool = False
    so_far: bool = False
    seeds: int = 20
    seconds: float = 45.0
    model: str | None = None
    encoder: str = "bundled"
    runner: str = "auto"
    jobs: int | None = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UsageError(f"--seeds takes at least 1, not {self.seeds}.")
        if not SHORTEST_STUDY_SECONDS <= self.seconds <= 3600:
            raise UsageError(
                f"--seconds takes {SHORTEST_STUDY_SECONDS:g} to 3600 s of each track, not {self.seconds:g}."
            )
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"--jobs takes at least 1, not {self.jobs}.")


AnyOptions = (
    LiveOptions
    | RenderOptions
    | DevicesOptions
    | OutputsOptions
    | ModelInfoOptions
    | ModelConvertOptions
    | ModelDirectionsOptions
    | ModelMixOptions
    | ModelProjectOptions
    | ModelFetchOptions
    | BenchOptions
    | StudyOptions
)
