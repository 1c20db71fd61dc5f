"""The command ``lavlive live``: from what was typed to a running show, and back to order at its end."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from lavlive import __version__
from lavlive.audio.channels import Pick
from lavlive.audio.spec import SourceSpec
from lavlive.audio.tracks import read_track
from lavlive.commands.hiding import hide_from_processes
from lavlive.commands.options import LiveOptions, NodeOptions, text_of
from lavlive.commands.outputs import streams_file
from lavlive.control.beat.tempo import AbletonLink
from lavlive.control.control import Control
from lavlive.control.looks.starting import begin_with_effects, initial_model, preset_library
from lavlive.control.looks.state import ShowState, StateKeeper, read_state
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.system import RtmidiSystem
from lavlive.control.osc.bindings import OscBindings
from lavlive.control.osc.server import OscSettings, parse_address
from lavlive.errors import CheckpointError, OutputError, SurfacesError
from lavlive.link.memory import SharedBlock
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values, checked_settings
from lavlive.resources import bundled_generators, cache_folder, config_folder, shipped
from lavlive.show.bank import models_in
from lavlive.show.notices import Notices
from lavlive.show.pace import ShowPace
from lavlive.show.shape import ShapeFollower
from lavlive.show.show import Show
from lavlive.show.terminal import Terminal
from lavlive.show.wall import WallPart
from lavlive.stage.canvas.slots import open_shaders
from lavlive.stage.output.base import Output, OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import Surfaces
from lavlive.stage.output.mapping.surfaces_file import read_surfaces
from lavlive.stage.output.monitors import find_monitor, list_monitors
from lavlive.stage.output.opening import open_output
from lavlive.stage.output.takers.addresses import (
    SCHEMES,
    Stream,
    open_to_others,
    read_streams,
    secrets_of,
    typed_stream,
)
from lavlive.stage.output.takers.kinds import outlets_of
from lavlive.stage.output.takers.outlets import Outlets
from lavlive.stage.output.window import display_available
from lavlive.stage.recording.recordings import Recordings

DISPLAY_RATE = 60.0
_LOG_LIMIT = 1_000_000


def source_spec(options: LiveOptions, last: ShowState | None = None) -> SourceSpec:
    """What to listen to, from what was typed; else what the last show listened to; else the demo track.

    Raises:
        SourceError: a track that cannot be read.
    """
    aloud, loop = options.aloud, options.loop
    channels = None if options.channels is None else str(Pick.parse(options.channels))
    if last is not None and last.source is not None and not options.names_source:
        return last.source if channels is None else replace(last.source, channels=channels)
    if options.track is not None:
        read_track(str(options.track)).close()
        return SourceSpec("track", str(Path(options.track).absolute()), aloud, loop, channels)
    if options.input is not None:
        return SourceSpec("input", options.input, channels=channels)
    if options.loopback is not None:
        return SourceSpec("loopback", options.loopback or None, channels=channels)
    return SourceSpec("demo", None, aloud, loop, channels)


def osc_settings(address: str | None, allow: Sequence[str], send: Sequence[str]) -> OscSettings | None:
    """Where OSC is heard and who is told, from ``--osc`` and its kin; None for ``off``.

    Raises:
        ControlError: it is no address.
    """
    if address == "off":
        return None
    targets = tuple(parse_address(target) for target in send)
    if address is None:
        return OscSettings(allow=tuple(allow), send=targets, required=False)
    host, port = parse_address(address)
    return OscSettings(host, port, tuple(allow), targets)


def model_bank(model: str | None) -> dict[str, str]:
    """The models that next and previous walk through: from a name to what is loaded for it.

    Args:
        model: a bundled model's name or None, for all that ship with lavlive; a folder, for those in it; or a
            file, for itself alone.

    Raises:
        CheckpointError: none of these, or a folder without models.
    """
    bundled = bundled_generators()
    if model is None or model in bundled:
        return {name: name for name in bundled}
    given = Path(model).absolute()
    if given.is_dir():
        return models_in(given)
    if not given.exists():
        raise CheckpointError(f"There is no model {model}; {', '.join(bundled)} ship with lavlive.")
    return {given.stem: str(given)}


def _first_model(options: LiveOptions, bank: dict[str, str]) -> str | None:
    """What the show begins with: what was typed, else what the preset is made for; None for the default."""
    if options.model is not None:
        return str(options.model) if options.model in bank else next(iter(bank.values()))
    return initial_model(options.preset, None)


def _choose_output(options: LiveOptions) -> tuple[str, OutputSettings]:
    """``window``, or ``headless`` where it is asked for or there is no display, which is said."""
    headless = options.headless
    if not headless and not display_available():
        print("lavlive: no display here, so the show runs headless.", file=sys.stderr)
        headless = True
    monitor = options.monitor
    if isinstance(monitor, str) and monitor.isdigit():
        monitor = int(monitor)
    settings = OutputSettings(
        fullscreen=options.fullscreen,
        monitor=monitor,
        canvas=options.canvas or (options.record_size if headless else None),
        badge=options.badge,
        show=True,
    )
    return "headless" if headless else "window", settings


def _canvas_to_come(kind: str, settings: OutputSettings) -> tuple[int, int]:
    """About the canvas's size, before the output is open: the engine begins to load at once."""
    if settings.canvas is not None:
        return settings.canvas
    if kind == "window" and settings.fullscreen:
        monitor = find_monitor(settings.monitor, list_monitors())
        return monitor.width, monitor.height
    return settings.width, settings.height


@contextlib.contextmanager
def _ending_on_signals(show: Show) -> Iterator[None]:
    """Let Ctrl+C, SIGTERM and a closed terminal end the show in order."""

    def end(number: int, frame: FrameType | None) -> None:
        show.done = True

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


@contextlib.contextmanager
def _awake() -> Iterator[None]:
    """Keep computer and display from going to sleep, where the system lets us."""
    from wakepy import keep

    with keep.presenting(on_fail="pass"):
        yield


def _engine_log(debug: bool) -> Path | None:
    """Where the engine's own prints go: the terminal when debugging, else a file of bounded size."""
    # Asked for in any case: engines share a temporary cache that this process makes and removes.
    log = cache_folder() / "engine.log"
    if debug:
        return None
    with contextlib.suppress(OSError):  # there is none yet, or its folder cannot be written to
        if log.stat().st_size > _LOG_LIMIT:
            log.unlink()
    return log


@contextlib.contextmanager
def open_show(options: LiveOptions) -> Iterator[Show]:
    """Everything that a show needs, from what was typed; closed in order at the end.

    Raises:
        LavliveError: something that was asked for is not there.
    """
    shaders = open_shaders(text_of(options.shaders))
    node = options if isinstance(options, NodeOptions) else None
    state_file = config_folder() / "state.json"
    # A node has nothing of its own to go on with.
    last = read_state(state_file) if node is None else None
    crashed = last if last is not None and not last.clean else None
    models = model_bank(text_of(options.model))
    settings = EngineSettings(
        source=source_spec(options, last),
        model=_first_model(options, models),
        bank=tuple(models.values()) if options.model is not None and Path(options.model).is_dir() else (),
        encoder=options.encoder,
        runner=options.runner,
        rate=options.rate,
        learned=text_of(options.learned),
        log=text_of(options.log_w),
        fill=options.fill,
        follows=node is not None,
    )
    if crashed is not None:
        settings = _resumed(settings, crashed, wait=not options.names_source)
    shape = ShapeFollower(options.shape)
    kind, output_settings = _choose_output(options)
    output_settings = replace(output_settings, shaders=shaders)
    if node is not None:
        output_settings = replace(output_settings, canvas=node.whole, part=node.part)
    settings = replace(settings, aspect=shape.begin(_canvas_to_come(kind, output_settings)))
    control = _open_control(options, crashed)
    log = _engine_log(options.debug)
    with contextlib.ExitStack() as stack:
        notices = Notices(stack.enter_context(Terminal()).say)

        def tell(text: str) -> None:
            notices.tell(text, time.perf_counter())

        stack.enter_context(control)
        link = stack.enter_context(SharedBlock.create())
        link.write_parameters(control.numbers(time.perf_counter()), control.revision)
        supervisor = Supervisor(
            link,
            settings,
            lambda name, what: PythonEngine(name, what, log),
            time.perf_counter(),
            spare=lambda name: PythonEngine(name, None, log),
        )
        stack.callback(supervisor.close)
        mapping = _open_mapping(options, tell)
        stack.callback(mapping.close)
        output = stack.enter_context(open_output(kind, replace(output_settings, mapping=mapping)))
        if isinstance(output, HeadlessOutput) and output.note is not None:
            notices.tell(output.note, time.perf_counter())
        if options.preset is None and crashed is None and node is None:
            left_out = _begin_with_effects(options, control, output)
            if left_out is not None:
                notices.tell(left_out, time.perf_counter())
        recordings = Recordings(
            Path(options.record) if options.record else None,
            options.record_size,
            tell,
            codec=options.record_codec,
            fps=options.exact_record_rate,
        )
        stack.callback(recordings.close)
        outlets = open_outlets(options, tell)
        stack.callback(outlets.close)
        if options.record:
            recordings.begin()
        keeper = StateKeeper(state_file) if node is None else None
        wall = open_wall(options, link)
        if wall is not None:
            stack.callback(wall.close)
        show = Show(
            link, supervisor, control, output, notices, recordings, models, keeper, shape, outlets, wall
        )
        show.shaders = shaders
        shaders.watch()
        stack.callback(shaders.close)
        stack.callback(show.close_panel)
        if kind == "window" and options.fullscreen and options.panel and len(list_monitors()) > 1:
            show.toggle_panel()
        if keeper is not None:
            kept = keeper
            stack.push(lambda failure, *_: _keep_last_state(kept, show, clean=failure is None))
        for problem in last.problems if last is not None else ():
            notices.tell(problem, time.perf_counter())
        if crashed is not None:
            notices.tell("The last show ended unexpectedly: going on where it was", time.perf_counter())
        yield show


def open_wall(options: LiveOptions, link: SharedBlock) -> WallPart | None:
    """This show's part in a wall of machines, if it has one.

    Raises:
        WallError: an address, a key, certificates, or a port that is taken.
    """
    if not isinstance(options, NodeOptions) and options.conduct is None:
        return None
    from lavlive.show.wall import ConductorPart, FollowerPart, hops_of
    from lavlive.wall.conductor import Conductor
    from lavlive.wall.follower import Follower
    from lavlive.wall.threads import Conducting
    from lavlive.wall.transport import LOOPBACK, Access, Address, Transport, read_key

    access = Access(
        read_key(options.wall_key) if options.wall_key is not None else None,
        Path(options.wall_certificates) if options.wall_certificates is not None else None,
    )
    if isinstance(options, NodeOptions):
        address = Address.parse(options.connect or LOOPBACK)
        name = options.node or f"{platform.node() or 'node'} {os.getpid()}"
        place = options.slice or "all"
        follower = Follower(name, __version__)
        following = FollowerPart(
            follower, link, lambda: Transport.follow(address, access), place, options.model is not None
        )
        following.start()
        return following
    address = Address.parse(options.conduct or LOOPBACK)
    conductor = Conductor(secrets.randbits(48), __version__)
    conducting = Conducting(conductor, Transport.conduct(address, access), hops_of(link))
    conducting.start()
    return ConductorPart(conducting)


def _open_mapping(options: LiveOptions, tell: Callable[[str], None]) -> ScreenMapping:
    """What is shown on which screen: as typed, else the user's own; nothing special where there is no file.

    Raises:
        SurfacesError: the file that was typed cannot be read.
    """
    path = Path(options.surfaces) if options.surfaces is not None else config_folder() / "surfaces.toml"
    surfaces: Surfaces | None = None
    try:
        if options.surfaces is not None or path.exists():
            surfaces = read_surfaces(path)
    except SurfacesError as error:
        if options.surfaces is not None:
            raise
        tell(f"{error} The canvas is shown whole until the file is mended.")
    return ScreenMapping(path, surfaces, tell)


def open_outlets(options: LiveOptions, tell: Callable[[str], None]) -> Outlets:
    """Where the canvas can go: streams, typed and named, and other programs. What was typed is on.

    Raises:
        OutputError: a stream of that name is not there, or its address is none.
    """
    path = streams_file()
    typed = options.stream
    wanted = {word for word in typed if not _is_address(word)}
    streams: list[Stream] = []
    try:
        streams = read_streams(path)
    except OutputError as error:
        if wanted:
            raise
        tell(str(error))
    if open_to_others(path):
        tell(f"Other users of this computer can read the keys in {path}: chmod 600 it")
    if unknown := wanted - {stream.name for stream in streams}:
        raise OutputError(
            f"There is no stream {unknown.pop()!r} in {path}; give an address, or name it there."
        )
    addresses = [word for word in typed if _is_address(word)]
    given = [typed_stream(address, number) for number, address in enumerate(addresses, start=1)]
    outlets = Outlets(outlets_of([*given, *streams], options.name), tell)
    on = wanted | {stream.name for stream in given}
    on |= {kind for kind in ("ndi", "camera", "syphon") if getattr(options, kind)}
    for outlet in outlets.all:
        if outlet.spec.name in on:
            outlet.switch(True)
    return outlets


def _is_address(word: str) -> bool:
    return word.partition("://")[0] in SCHEMES and "://" in word


def _keep_last_state(keeper: StateKeeper, show: Show, clean: bool) -> None:
    """End the keeping; a show without a picture leaves the state of the one before."""
    keeper.close(show.state(clean) if show.pictures_shown else None)


def _resumed(typed: EngineSettings, crashed: ShowState, wait: bool) -> EngineSettings:
    """What was typed, and for the rest what a show had that crashed.

    Args:
        wait: for a device that is away, instead of refusing to start.
    """
    return replace(
        typed,
        model=typed.model or _if_there(crashed.model),
        encoder=crashed.encoder if typed.encoder == "bundled" else typed.encoder,
        learned=typed.learned or _if_there(crashed.learned),
        resumed=wait,
    )


def _if_there(path: str | None) -> str | None:
    there = path is not None and (path in bundled_generators() or Path(path).exists())
    return path if there else None


def _open_control(options: LiveOptions, crashed: ShowState | None) -> Control:
    """The controls with the first values: those of a show that crashed, then what was typed."""
    typed = checked_settings(options.settings)
    presets = preset_library()
    preset = presets.find(options.preset) if options.preset is not None else None
    control = Control(
        Values(),
        BindingFolders(shipped("presets") / "bindings", config_folder() / "bindings"),
        None if isinstance(options, NodeOptions) else RtmidiSystem(),
        options.midi,
        osc_settings(
            "off" if isinstance(options, NodeOptions) else options.osc, options.osc_allow, options.osc_send
        ),
        presets,
        AbletonLink() if options.ableton else None,
        osc_bindings=OscBindings(config_folder() / "osc.toml"),
    )
    if preset is not None:
        control.values.update(preset.values)
        control.looks.begin_with(preset)
    elif crashed is not None:
        control.restore(crashed)
    control.values.update(typed)
    return control


def _begin_with_effects(options: LiveOptions, control: Control, output: Output) -> str | None:
    """Give a fresh show the default look's effects; where the processor draws, say that they are left out."""
    if output.software:
        return "No graphics driver is at work: the default look is without effects; choose some in the panel."
    begin_with_effects(control.looks)
    control.values.update(options.settings)
    return None


def run_live(options: LiveOptions) -> list[Path]:
    """Run the show until it is closed, its time is over, or a signal ends it; returns what it recorded.

    Raises:
        LavliveError: something that was asked for is not there.
    """
    hide_from_processes(secret for address in options.stream for secret in secrets_of(address))
    with open_show(options) as show, _awake(), _ending_on_signals(show):
        _run(show, options.seconds)
        print(f"{show.pictures_shown} pictures  {show.status()}", file=sys.stderr)
    return list(show.recordings.finished)


def _never() -> bool:
    """Nothing to do before the next frame."""
    return False


def _run(show: Show, seconds: float | None) -> None:
    """Step until the show is done; `seconds` count from the first picture."""
    pace = ShowPace(DISPLAY_RATE)
    # A display has its own times; without one a picture is shown as soon as it is made.
    early = show.picture_waits if show.output.name == "headless" else _never
    began: float | None = None
    while not show.done:
        now = time.perf_counter()
        show.step(now)
        if began is None and show.pictures_shown:
            began = now
        if seconds is not None and began is not None and now - began >= seconds:
            return
        pace.wait(show.output.display_rate, early, show.listen)
