"""What was typed, made into what a show is started with: source, models, OSC, output."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lavlive.audio.channels import Pick
from lavlive.audio.spec import SourceSpec
from lavlive.audio.tracks import read_track
from lavlive.commands.options import LiveOptions
from lavlive.control.looks.starting import initial_model
from lavlive.control.looks.state import ShowState
from lavlive.control.osc.server import OscSettings, parse_address
from lavlive.errors import CheckpointError
from lavlive.files import shown
from lavlive.resources import bundled_generators
from lavlive.show.bank import models_in
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.monitors import find_monitor, list_monitors
from lavlive.stage.output.opengl_windows import display_available


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
    return {shown(given.stem): str(given)}


def with_mixed_in(bank: Mapping[str, str], mix: str) -> tuple[dict[str, str], str]:
    """The bank with the model that is mixed in among its models, and the name that it has there.

    Args:
        mix: a name in the bank, a bundled model's name, or a file.

    Raises:
        CheckpointError: none of these.
    """
    if mix in bank:
        return dict(bank), mix
    bundled = bundled_generators()
    if mix in bundled:
        return {**bank, mix: mix}, mix
    given = Path(mix).absolute()
    if not given.is_file():
        names = ", ".join({**bank, **bundled})
        raise CheckpointError(f"There is no model {mix} to mix in; a file, or one of {names}.")
    path = str(given)
    known = next((name for name, each in bank.items() if each == path), None)
    name = known or shown(given.name if shown(given.stem) in bank else given.stem)
    return {**bank, name: path}, name


def first_model(options: LiveOptions, bank: dict[str, str]) -> str | None:
    """What the show begins with: what was typed, else what the preset is made for; None for the default."""
    if options.model is not None:
        return str(options.model) if options.model in bank else next(iter(bank.values()))
    return initial_model(options.preset, None)


def choose_output(options: LiveOptions) -> tuple[str, OutputSettings]:
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


def canvas_to_come(kind: str, settings: OutputSettings) -> tuple[int, int]:
    """About the canvas's size, before the output is open: the engine begins to load at once."""
    if settings.canvas is not None:
        return settings.canvas
    if kind == "window" and settings.fullscreen:
        monitor = find_monitor(settings.monitor, list_monitors())
        return monitor.width, monitor.height
    return settings.width, settings.height
