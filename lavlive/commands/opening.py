"""Everything that a show needs, opened from what was typed and closed in order at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from lavlive.commands.choices import (
    canvas_to_come,
    choose_output,
    first_model,
    model_bank,
    osc_settings,
    source_spec,
    with_mixed_in,
)
from lavlive.commands.options import LiveOptions, NodeOptions, text_of
from lavlive.commands.surroundings import open_mapping, open_outlets, open_wall
from lavlive.control.beat.tempo import AbletonLink
from lavlive.control.control import Control
from lavlive.control.looks.own_state import own_state_file
from lavlive.control.looks.starting import begin_with_effects, preset_library
from lavlive.control.looks.state import ShowState, StateKeeper, read_state
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.system import RtmidiSystem
from lavlive.control.osc.bindings import OscBindings
from lavlive.control.remote.remote import RemoteSettings
from lavlive.control.settings import Settings
from lavlive.link.memory import SharedBlock
from lavlive.link.points import read_points
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values, checked_settings
from lavlive.resources import bundled_generators, cache_folder, config_folder, shipped
from lavlive.show.shape import ShapeFollower
from lavlive.show.show import Show
from lavlive.show.terminal import Terminal
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import open_shaders
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import Output
from lavlive.stage.output.headless import HeadlessOutput
from lavlive.stage.output.monitors import list_monitors
from lavlive.stage.output.opening import open_output
from lavlive.stage.recording.recordings import Recordings

_LOG_LIMIT = 1_000_000


@contextlib.contextmanager
def open_show(options: LiveOptions) -> Iterator[Show]:
    """Everything that a show needs, from what was typed; closed in order at the end.

    Raises:
        LavliveError: something that was asked for is not there.
    """
    with (
        open_shaders(text_of(options.shaders)) as shaders,
        _state_file(options) as state_file,
    ):
        yield from _open_with(options, shaders, state_file)


def _state_file(options: LiveOptions) -> AbstractContextManager[Path]:
    """Where the show is kept; a node keeps nothing, and takes no show's place."""
    if isinstance(options, NodeOptions):
        return contextlib.nullcontext(config_folder() / "state.json")
    return own_state_file(config_folder())


def _open_with(options: LiveOptions, shaders: ShaderLibrary, state_file: Path) -> Iterator[Show]:
    node = options if isinstance(options, NodeOptions) else None
    # A node has nothing of its own to go on with.
    last = read_state(state_file) if node is None else None
    crashed = last if last is not None and not last.clean else None
    bank = model_bank(text_of(options.model))
    mix = text_of(options.mix)
    models, mixed_in = with_mixed_in(bank, mix) if mix is not None else (bank, None)
    settings = EngineSettings(
        source=source_spec(options, last),
        model=first_model(options, bank),
        bank=tuple(bank.values()) if options.model is not None and Path(options.model).is_dir() else (),
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
    kind, output_settings = choose_output(options)
    output_settings = replace(output_settings, shaders=shaders)
    if node is not None:
        output_settings = replace(output_settings, canvas=node.whole, part=node.part)
    settings = replace(settings, aspect=shape.begin(canvas_to_come(kind, output_settings)))
    control = _open_control(options, crashed)
    if mixed_in is not None:
        control.looks.mix = mixed_in
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
        mapping = open_mapping(options, tell)
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
        stack.callback(show.operator.close)
        if kind == "window" and options.fullscreen and options.panel and len(list_monitors()) > 1:
            show.operator.toggle()
        if keeper is not None:
            kept = keeper
            stack.push(lambda failure, *_: _keep_last_state(kept, show, clean=failure is None))
        if keeper is not None and state_file.stem != "state":
            notices.tell(
                f"Another show runs here: this one is kept in {state_file.name}", time.perf_counter()
            )
        for problem in last.problems if last is not None else ():
            notices.tell(problem, time.perf_counter())
        if crashed is not None:
            notices.tell("The last show ended unexpectedly: going on where it was", time.perf_counter())
        yield show


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
        settings=Settings(config_folder() / "settings.toml"),
        remote=RemoteSettings(_remote_place(options, crashed), config_folder() / "remote.key"),
    )
    if preset is not None:
        control.values.update(preset.values)
        control.looks.begin_with(preset)
    elif crashed is not None:
        control.restore(crashed)
    control.values.update(typed)
    if options.points is not None:
        control.looks.begin_with_points(read_points(Path(options.points)))
    return control


def _remote_place(options: LiveOptions, crashed: ShowState | None) -> str | None:
    """Where phones are let in: as typed, else where a show did that crashed; None for nowhere."""
    place = options.remote if options.remote is not None or crashed is None else crashed.remote
    return None if place == "off" else place


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


def _begin_with_effects(options: LiveOptions, control: Control, output: Output) -> str | None:
    """Give a fresh show the default look's effects; where the processor draws, say that they are left out."""
    if output.software:
        return "No graphics driver is at work: the default look is without effects; choose some in the panel."
    begin_with_effects(control.looks)
    control.values.update(options.settings)
    return None


def _keep_last_state(keeper: StateKeeper, show: Show, clean: bool) -> None:
    """End the keeping; a show without a picture leaves the state of the one before."""
    keeper.close(show.state(clean) if show.pictures_shown else None)
