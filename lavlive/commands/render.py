"""A track to a video file, through the same path as the show, without clocks."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from tqdm import tqdm

from lavlive.audio.channels import Pick
from lavlive.audio.tracks import Track, read_track
from lavlive.commands.choices import with_mixed_in
from lavlive.commands.options import RenderOptions, text_of
from lavlive.commands.results import Rendered
from lavlive.control.beat.tempo import Tempo
from lavlive.control.controls import CanvasValues
from lavlive.control.looks.drives import SILENCE, Heard
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.starting import initial_looks, initial_model
from lavlive.diagnosis.meters import Diagnosis
from lavlive.diagnosis.picture_change import PictureChange
from lavlive.diagnosis.report import Report
from lavlive.engine.loading import encoder_notes, load_model, load_path, open_log
from lavlive.engine.offline import Clip, latents_of, published_latents_of
from lavlive.engine.picture_worker import Model
from lavlive.errors import RecordingError, UsageError
from lavlive.latent.instrument import Moment
from lavlive.latent.path import Latent, LatentPath
from lavlive.link.contents import Picture
from lavlive.link.points import read_points
from lavlive.link.settings import EngineSettings
from lavlive.parameters import INDEX, LOADED_GROUPS, Value, loaded_parameters
from lavlive.resources import is_no_file
from lavlive.show.shape import ShapeFollower
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.isf.sound import SoundView
from lavlive.stage.canvas.slots import open_shaders
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from lavlive.stage.recording.codecs import find_codec
from lavlive.stage.recording.picture_files import SUFFIX, PictureFiles, unused_sequence
from lavlive.stage.recording.recorder import unused_path
from lavlive.stage.recording.video import VideoWriter, tidy

_STEPS_AHEAD = 16
LEAST_HEARD_SECONDS = 0.1
"""However short the video: its first picture needs a hop."""
_CLASS = INDEX["generator.class"]


def run_render(options: RenderOptions) -> Rendered:
    """Render a track; what the user should know on the way goes to stderr.

    Raises:
        LavliveError: something that was asked for is not there, or cannot be written.
    """
    with open_shaders(text_of(options.shaders)) as shaders:
        return _render(options, shaders)


def _render(options: RenderOptions, shaders: ShaderLibrary) -> Rendered:
    looks = look_of(options)
    values = looks.values
    target = Path(options.video) if options.video is not None else None
    if target and target.suffix.lower() != SUFFIX:
        find_codec(options.codec, target.suffix)
    if options.channels is not None:
        Pick.parse(options.channels)
    if target and is_no_file(target):
        raise UsageError(f"{target} cannot be written: it is not a file; choose another folder or name.")
    if target and not options.force:
        target = unused_sequence(target) if target.suffix.lower() == SUFFIX else unused_path(target)
    with contextlib.ExitStack() as stack:
        track = stack.enter_context(read_track(options.track))
        model, notes = load_model(
            initial_model(options.preset, text_of(options.model)),
            options.runner,
            aspect=ShapeFollower(options.shape).begin(options.size),
            fill=options.fill,
        )
        stack.callback(model.close)
        path = open_path(options, model.runner.w_dim)
        for note in [*notes, *encoder_notes(path.encoder, live=False), *untrained_notice(model, path)]:
            tell(note)
        if options.as_published:
            latents = published_latents_of(track, path.encoder, values, model.runner.w_dim)
        else:
            latents = latents_of(track, path, values, options.channels, tell, moving(looks))
            find_dials(model, looks)
            use_keyframes(model, looks)
            model.prepare_bends(looks.values)
            if looks.mix:
                model.mix_for_film(looks.mix)
        if options.log_w is not None:
            latents = _logged(latents, stack.enter_context(open_log(str(options.log_w))), model)
        seconds = min(track.seconds, options.seconds or track.seconds)
        meters = _Meters(path.rate, model) if options.report is not None else None
        if meters is not None:
            latents = meters.over(latents, seconds)
        if target is None or options.log_w is None:
            # A log beside a video is of the whole track.
            heard = max(seconds, LEAST_HEARD_SECONDS)
            latents = takewhile(lambda timed: timed[0] < heard, latents)
        pictures = 0
        if target is not None:
            try:
                pictures = _make_video(
                    options, track, seconds, latents, model, looks, shaders, target, meters
                )
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise RecordingError(
                    f"{target} cannot be written any more: {reason}. What was made before is there."
                ) from None
        else:
            deque(latents, maxlen=0)
        if meters is None or options.report is None:
            return Rendered(target, pictures, seconds)
        report = Path(options.report)
        meters.report.write(report, str(options.track), model.name)
        return Rendered(target, pictures, seconds, report, meters.report.summary())


def moving(looks: Looks) -> Callable[[float, Latent | None], np.ndarray]:
    """The parameters as beat and sound move them: at a time, by the latent before."""
    tempo = Tempo()

    def numbers(now: float, before: Latent | None) -> np.ndarray:
        heard = SILENCE if before is None else heard_of(before)
        return looks.numbers(tempo.state(now), now, heard)

    return numbers


def heard_of(latent: Latent) -> Heard:
    """What drives hear of a latent."""
    features = latent.features
    return Heard(latent.deviation, features.onset, features.spectrum, features.chroma)


def find_dials(model: Model, looks: Looks) -> None:
    """Have the model's dials in place where the look uses any."""
    moved = {*looks.modulations, *looks.drives, *(name for name, value in looks.values.items() if value)}
    if model.find_dials is None or not any(name.startswith("dial.") for name in moved):
        return
    found = model.find_dials(lambda: False)
    if found is not None:
        for note in found.notes:
            tell(note)
        model.instrument.dials = found.dials.vectors


def use_keyframes(model: Model, looks: Looks) -> None:
    """Let loops and anchors go by the preset's keyframes of this model."""
    mine = tuple(keyframe.w for keyframe in looks.keyframes if keyframe.is_of(model.hash))
    if len(mine) < len(looks.keyframes):
        tell(f"{len(looks.keyframes) - len(mine)} keyframes of the preset are of another model: not used.")
    if not model.instrument.use(mine, model.runner.w_dim):
        tell("A keyframe of the preset has another width of W: left out.")


def look_of(options: RenderOptions) -> Looks:
    """The look that a rendering begins with; that of the paper's path has nothing of ours."""
    looks = initial_looks(options.preset, options.settings, bare=options.as_published)
    if options.points is not None:
        looks.begin_with_points(read_points(Path(options.points)))
    if options.mix is not None:
        looks.mix = str(options.mix)
        with_mixed_in({}, looks.mix)  # raises where there is none
    return looks


def open_path(options: RenderOptions, w_dim: int) -> LatentPath:
    """The latent path of a rendering, off a graphics card where its runner is."""
    device = "cpu" if EngineSettings(runner=options.runner).on_cpu else "auto"
    return load_path(encoder_for(options), text_of(options.learned), w_dim, device)


def encoder_for(options: RenderOptions) -> str:
    """The encoder that was typed; without one the paper's own, where the paper's path was asked for."""
    if options.as_published and options.encoder == "bundled":
        return "encodec-32khz"
    return options.encoder


class _Meters:
    """The failure signatures of the latents that pass through, as the engine measures them."""

    def __init__(self, rate: float, model: Model) -> None:
        self.report = Report()
        self._diagnosis = Diagnosis(rate)
        self._model = model
        self._change = PictureChange()
        self._newest_change = 0.0

    def over(self, latents: Iterator[tuple[float, Latent]], until: float) -> Iterator[tuple[float, Latent]]:
        """The same latents, each measured; the report ends at `until` seconds."""
        for time, latent in latents:
            self._diagnosis.distribution = self._model.space(int(latent.numbers[_CLASS])).distribution
            signs = self._diagnosis.step(latent, self._newest_change)
            if time < until:
                self.report.add(time, signs, latent.numbers)
            yield time, latent

    def picture(self, pixels: np.ndarray) -> None:
        """Take a picture of the generator, uint8 [H, W, 3]."""
        self._newest_change = self._change.step(pixels)


def _make_video(
    options: RenderOptions,
    track: Track,
    seconds: float,
    latents: Iterator[tuple[float, Latent]],
    model: Model,
    looks: Looks,
    shaders: ShaderLibrary,
    target: Path,
    meters: _Meters | None,
) -> int:
    """Write the video; returns the number of its pictures."""
    size, rate = options.size, options.exact_rate
    channels = track.mix.shape[1]
    with contextlib.ExitStack() as stack:
        if target.suffix.lower() == SUFFIX:
            video: VideoWriter | PictureFiles = PictureFiles(target, *size, track.rate, channels)
        else:
            # What was made of a rendering that is killed can be played.
            stack.callback(tidy, target)
            video = VideoWriter(
                target, *size, rate, track.rate, channels, surviving=True, codec=options.codec
            )
        stack.enter_context(video)
        output = stack.enter_context(HeadlessOutput(OutputSettings(canvas=size, shaders=shaders)))
        if output.note is not None:
            tell(output.note)
        slow = effects_note(looks.values, output.software)
        if slow is not None:
            tell(slow)
        scene = Scene(looks, stack.enter_context(read_track(options.track)))
        sound = _SoundTrack(stack.enter_context(read_track(options.track)), video)
        writer = stack.enter_context(_VideoThread())
        clip = Clip(latents)
        pictures = max(1, round(seconds * rate))
        for index in tqdm(range(pictures), unit="picture", desc=target.name, disable=None):
            now = float(index / rate)
            # A picture follows the sound up to the middle of its time on the screen.
            latent = clip.newest(float((index + Fraction(1, 2)) / rate))
            pixels = model.picture(latent, moment=Moment(now, scene.beat(now))).copy()
            if meters is not None:
                meters.picture(pixels)
            values, heard = scene.at(now, latent)
            output.present(Picture(pixels, index + 1, now, now, 0), values, now, sound=heard)
            for problem in output.problems.values():
                scene.say(problem)
            writer.do(video.picture, output.read_canvas())
            writer.do(sound.copy_until, min(float((index + 1) / rate), seconds))
        clip.finish()
    return pictures


def tell(line: str) -> None:
    print(f"lavlive: {line}", file=sys.stderr)


class Scene:
    """What the canvas is given besides pictures: values that sound moves, and the sound itself.

    Attributes:
        fresh: the sound that came with the last call of `at`, float32 [frames, channels], or None.
    """

    def __init__(self, looks: Looks, track: Track) -> None:
        self._looks = looks
        self._track = track
        self._view = SoundView()
        self._tempo = Tempo()
        self._heard = 0
        self._now = 0.0
        self._said: set[str] = set()
        self.fresh: np.ndarray | None = None

    def at(self, now: float, latent: Latent) -> tuple[CanvasValues, SoundView]:
        """The canvas's values and what shaders hear, `now` seconds from the track's start."""
        frames = round(now * self._track.rate) - self._heard
        self.fresh = None
        if frames > 0:
            self.fresh = np.nan_to_num(self._track.read(frames)) @ self._track.mix
            self._view.take(self.fresh, self._track.rate)
            self._heard += frames
        self._view.step(now - self._now)
        self._now = now
        heard = heard_of(latent)
        moved = {**self._looks.loaded_numbers(self._tempo.state(now), heard, now)}
        values = self._looks.values
        return CanvasValues(values, values, moved), self._view

    def beat(self, now: float) -> float:
        """Quarter notes since the track began."""
        return self._tempo.state(now).beat

    def say(self, problem: str) -> None:
        """Tell, once, why a shader is not seen."""
        if problem not in self._said:
            self._said.add(problem)
            tell(problem)


def effects_note(values: Mapping[str, Value], software: bool) -> str | None:
    """A line about effects that the processor has to draw, longer than it does all the rest; else None."""
    rows = {row.name for row in loaded_parameters(values.__getitem__)}
    slots = [f"{group}.shader" for group in LOADED_GROUPS]
    chosen = [name for name in slots if name in rows and values[name] != "none"]
    if not software or not chosen:
        return None
    without = " ".join(f"--set {name}=none" for name in chosen)
    return f"No graphics driver is at work: effects take most of the time. Much faster: {without}"


def untrained_notice(model: Model, path: LatentPath) -> list[str]:
    """A line for each of model and encoder that was never trained."""
    parts = [("generator", model.trained, model.name), ("encoder", path.encoder.trained, path.encoder.name)]
    return [f"The {kind} {name} is untrained: a placeholder." for kind, trained, name in parts if not trained]


def _logged(
    latents: Iterator[tuple[float, Latent]], file: BinaryIO, model: Model
) -> Iterator[tuple[float, Latent]]:
    space = model.space(0)
    for time, latent in latents:
        file.write(space.w_plus(latent.deviation, latent.truncation).tobytes())
        yield time, latent


class _VideoThread:
    """Does what it is given in a second thread, in order, and at most some steps later.

    What fails there fails in `do`, or at the end.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "video")
        self._waiting: deque[Future[None]] = deque()

    def do(self, work: Callable[..., None], *arguments: object) -> None:
        """Have `work` done; waits where too much is left to do."""
        self._waiting.append(self._thread.submit(work, *arguments))
        while len(self._waiting) > _STEPS_AHEAD:
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown(cancel_futures=failure is not None)
        if failure is None:
            for work in self._waiting:
                work.result()


class _SoundTrack:
    """Copies a track's sound into a video, in step with its pictures."""

    def __init__(self, track: Track, video: VideoWriter | PictureFiles) -> None:
        self._track = track
        self._video = video
        self._mix = track.mix
        self._copied = 0

    def copy_until(self, time: float) -> None:
        """Copy what is missing up to `time` seconds."""
        frames = round(time * self._track.rate) - self._copied
        if frames > 0:
            samples = np.nan_to_num(self._track.read(frames), posinf=0.0, neginf=0.0)
            self._video.sound(samples @ self._mix)
            self._copied += frames
