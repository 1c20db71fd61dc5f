"""The program ``lavlive``. Nothing here imports torch or OpenGL: each command brings in what it needs."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lavlive.commands.arguments import parse
from lavlive.commands.options import (
    AnyOptions,
    BenchOptions,
    DevicesOptions,
    FarmOptions,
    LiveOptions,
    ModelConvertOptions,
    ModelDirectionsOptions,
    ModelFetchOptions,
    ModelInfoOptions,
    ModelMixOptions,
    ModelProjectOptions,
    OutputsOptions,
    RenderOptions,
    StudyOptions,
    text_of,
)
from lavlive.errors import LavliveError
from lavlive.link.environment import prepare_process

EXIT_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 for an error that is explained on stderr."""
    prepare_process()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that the terminal has not must not end anything
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")
    typed = parse(list(sys.argv[1:] if arguments is None else arguments))
    try:
        _run(typed.options())
    except LavliveError as error:
        if typed.debug:
            raise
        print(f"lavlive: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output is gone, as with `lavlive devices | head -1`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + int(getattr(signal, "SIGPIPE", 13))
    return 0


def _run(options: AnyOptions) -> None:
    match options:
        case LiveOptions():
            from lavlive.commands.live import run_live

            for path in run_live(options):
                print(f"Recorded {path}")
        case FarmOptions():
            from lavlive.commands.farm import run_farm

            for line in run_farm(options).lines():
                print(line)
        case RenderOptions():
            from lavlive.commands.render import run_render

            for line in run_render(options).lines():
                print(line)
        case DevicesOptions():
            from lavlive.commands.devices import list_everything

            print(list_everything())
        case OutputsOptions():
            from lavlive.commands.outputs import list_outputs

            print("\n".join(list_outputs()))
        case ModelInfoOptions():
            from lavlive.commands.model import info
            from lavlive.resources import generator_file

            print(info(generator_file(text_of(options.model)), options.class_index))
        case ModelConvertOptions():
            from lavlive.commands.model import convert

            print(convert(Path(options.model), Path(options.output)))
        case ModelDirectionsOptions():
            from lavlive.commands.directions import directions

            print(directions(options))
        case ModelMixOptions():
            from lavlive.commands.mix import mix

            print(mix(options))
        case ModelProjectOptions():
            from lavlive.commands.project import project

            print(project(options))
        case ModelFetchOptions():
            _fetch(options)
        case BenchOptions():
            from lavlive.commands.bench import run_bench

            run_bench(options)
        case StudyOptions():
            from lavlive.commands.study import run_study

            for written in run_study(options):
                print(written)


def _fetch(options: ModelFetchOptions) -> None:
    from tqdm import tqdm

    from lavlive.encoder.fetch import PUBLISHED, fetch_published, file_hash

    with tqdm(unit="B", unit_scale=True, desc=options.name, disable=None) as bar:

        def progress(received: int, expected: int | None) -> None:
            bar.total = expected
            bar.update(received - bar.n)

        path: Path = fetch_published(options.name, progress)
    published = PUBLISHED[options.name]
    print(f"{path}\nSHA-256 {file_hash(path)}: {published.known}\n{published.notice}")
