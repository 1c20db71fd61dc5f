"""lavlive as a library: each command as a function that takes the fields of its options.

What is wrong is raised as LavliveError, in one or two lines that say what to do.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lavlive.commands.options import (
    BenchOptions,
    LiveOptions,
    ModelConvertOptions,
    ModelDirectionsOptions,
    ModelFetchOptions,
    ModelInfoOptions,
    ModelMixOptions,
    ModelProjectOptions,
    RenderOptions,
    StudyOptions,
    text_of,
)
from lavlive.commands.results import Devices, Rendered
from lavlive.link.environment import prepare_process

_Fields = ParamSpec("_Fields")
_Options = TypeVar("_Options")
_Result = TypeVar("_Result")


def _taking(
    options: Callable[_Fields, _Options],
) -> Callable[[Callable[[_Options], _Result]], Callable[_Fields, _Result]]:
    """Let a function that takes options take their fields instead."""

    def decorate(run: Callable[[_Options], _Result]) -> Callable[_Fields, _Result]:
        @functools.wraps(run)
        def call(*arguments: _Fields.args, **named: _Fields.kwargs) -> _Result:
            chosen = options(*arguments, **named)
            prepare_process()
            return run(chosen)

        fields = inspect.signature(options)
        call.__signature__ = fields.replace(  # type: ignore[attr-defined]
            return_annotation=inspect.signature(run).return_annotation
        )
        return call

    return decorate


@_taking(LiveOptions)
def live(options: LiveOptions) -> list[Path]:
    """Run the show until it is closed or its `seconds` are over; returns the videos that it recorded.

    It owns the process meanwhile: call it from the main thread. The arguments are those of `LiveOptions`.
    """
    from lavlive.commands.live import run_live

    return run_live(options)


@_taking(RenderOptions)
def render(options: RenderOptions) -> Rendered:
    """Make a video of a track, through the same path as the show; or measure it, with `report`.

    The arguments are the fields of `RenderOptions`.
    """
    from lavlive.commands.render import run_render

    return run_render(options)


@_taking(ModelInfoOptions)
def model_info(options: ModelInfoOptions) -> str:
    """What a generator's file holds, one fact a line. The arguments are the fields of `ModelInfoOptions`."""
    from lavlive.commands.model import info
    from lavlive.resources import generator_file

    return info(generator_file(text_of(options.model)), options.class_index)


@_taking(ModelConvertOptions)
def convert_model(options: ModelConvertOptions) -> str:
    """Write a foreign generator as safetensors; returns what was done. Fields: `ModelConvertOptions`."""
    from lavlive.commands.model import convert

    return convert(Path(options.model), Path(options.output))


@_taking(ModelDirectionsOptions)
def model_directions(options: ModelDirectionsOptions) -> str:
    """Find a generator's dials, draw what they do, name them; returns what was done, a line each.

    The arguments are the fields of `ModelDirectionsOptions`.
    """
    from lavlive.commands.directions import directions

    return directions(options)


@_taking(ModelMixOptions)
def model_mix(options: ModelMixOptions) -> str:
    """Write a model of two; returns what was done, a line each. Fields: `ModelMixOptions`."""
    from lavlive.commands.mix import mix

    return mix(options)


@_taking(ModelProjectOptions)
def model_project(options: ModelProjectOptions) -> str:
    """Find the points of W of pictures; returns what was found. Fields: `ModelProjectOptions`."""
    from lavlive.commands.project import project

    return project(options)


@_taking(ModelFetchOptions)
def fetch_encoder(options: ModelFetchOptions) -> Path:
    """Download published weights into the cache, if they are not there; returns their file.

    They are CC BY-NC 4.0: no commercial use. The argument is the field of `ModelFetchOptions`.
    """
    from lavlive.encoder.fetch import fetch_published

    return fetch_published(options.name)


@_taking(BenchOptions)
def bench(options: BenchOptions) -> dict[str, Any]:
    """Time the stages and a show; prints tables and returns their figures. Fields: `BenchOptions`."""
    from lavlive.commands.bench import run_bench

    return run_bench(options)


@_taking(StudyOptions)
def study(options: StudyOptions) -> list[Path]:
    """Test the method on tracks; returns the files of the report, report.md first. Fields: `StudyOptions`."""
    from lavlive.commands.study import run_study

    return run_study(options)


def devices() -> Devices:
    """Everything that a show can be plugged into: devices of sound and MIDI, monitors, compute devices."""
    prepare_process()
    from lavlive.commands.devices import list_everything

    return list_everything()
