"""The commands. Nothing here imports torch or OpenGL: each command brings in what it needs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lavlive import __version__
from lavlive.errors import LavliveError

EXIT_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 for an error that is explained on stderr."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    options = parser.parse_args(typed or ["live"])
    if options.command is None:
        options = parser.parse_args(["live", *typed])
    try:
        status: int = options.run(options)
    except LavliveError as error:
        if options.debug:
            raise
        print(f"lavlive: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output is gone, as with `lavlive devices | head -1`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + int(getattr(signal, "SIGPIPE", 13))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lavlive",
        description="StyleGAN2 pictures that follow sound, live. Without a command: the show.",
    )
    parser.add_argument("--version", action="version", version=f"lavlive {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and what the engine prints")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_live(commands)
    _add_render(commands)
    _add_devices(commands)
    _add_model(commands)
    _add_bench(commands)
    _add_study(commands)
    return parser


def _command(commands: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    # The flag is allowed after the command as well, without undoing the one before it.
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _add_look(parser: argparse.ArgumentParser) -> None:
    look = parser.add_argument_group("the look")
    look.add_argument(
        "--model",
        metavar="FILE",
        help="a bundled generator's name, or a StyleGAN2 file; a folder is a bank of them",
    )
    look.add_argument(
        "--encoder", default="bundled", metavar="FILE|bundled|encodec|…", help="default: %(default)s"
    )
    look.add_argument("--preset", metavar="NAME", help="begin with this preset")
    look.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="begin with this value; repeat",
    )
    look.add_argument("--class", type=int, dest="class_index", metavar="N", help="of a conditional model")
    look.add_argument("--learned", metavar="FILE", help="a learned projection, for projection.kind=learned")
    look.add_argument(
        "--runner", default="auto", help="auto, torch, openvino, cuda (default: %(default)s, which measures)"
    )
    look.add_argument(
        "--shape",
        default="screen",
        metavar="W:H|screen|own",
        help="of the pictures: 16:9, 4:3, 21:9, the screen's, or the model's own (default: %(default)s)",
    )
    look.add_argument(
        "--fill",
        default="auto",
        choices=("auto", "stretch", "mirror", "tile"),
        help="how the model's beginnings come to that shape (default: %(default)s)",
    )
    look.add_argument("--log-w", metavar="FILE", help="write w+ of every hop, raw float32")


def _add_channels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--channels",
        metavar="3,4",
        help="which channels to hear: numbers, or all, left, right, mid, side (default: all; of an input the "
        "first two)",
    )


def _put_class(options: argparse.Namespace) -> None:
    """``--class N`` is short for ``--set generator.class=N``."""
    if options.class_index is not None:
        options.settings.append(f"generator.class={options.class_index}")


def _add_live(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "live", "the show: sound in, pictures out")
    source = parser.add_argument_group("sound").add_mutually_exclusive_group()
    source.add_argument("--input", metavar="NAME", help="a line-in, by name or index; see lavlive devices")
    source.add_argument(
        "--loopback",
        nargs="?",
        const="",
        metavar="NAME",
        help="what this machine plays, of its default or a named output",
    )
    source.add_argument("--track", metavar="FILE", help="any file with sound: wav, flac, mp3, m4a, mp4, …")
    source.add_argument("--demo", action="store_true", help="the bundled demo track")
    _add_channels(parser)
    parser.add_argument("--silent", action="store_true", help="do not play the track aloud")
    parser.add_argument("--once", action="store_true", help="do not loop the track")
    _add_look(parser)
    show = parser.add_argument_group("the show")
    show.add_argument("--fullscreen", action="store_true")
    show.add_argument("--monitor", metavar="N", help="index or name; see lavlive devices")
    show.add_argument("--headless", action="store_true", help="without a window")
    show.add_argument(
        "--badge", action="store_true", help="draw notices over the picture, too, while it is in a window"
    )
    show.add_argument("--no-panel", action="store_true", help="without the operator's panel")
    show.add_argument("--seconds", type=float, metavar="N", help="end after so long")
    show.add_argument("--record", metavar="FILE", help="also write a video: mp4, mov, mkv")
    show.add_argument(
        "--record-size",
        metavar="WxH",
        help="of the video, for --record and the key Ctrl+R; else the canvas's",
    )
    show.add_argument("--rate", type=float, default=60.0, help="pictures per second, at most (default: 60)")
    control = parser.add_argument_group("control")
    control.add_argument("--midi", metavar="NAME", help="only this MIDI input; all if not given")
    control.add_argument(
        "--ableton",
        action="store_true",
        help="share the beat by Ableton Link (pip install 'lavlive[ableton]')",
    )
    control.add_argument(
        "--osc", metavar="HOST:PORT", help="listen for OSC (default: 127.0.0.1:9000; off: no OSC)"
    )
    control.add_argument(
        "--osc-allow",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a host that may send OSC from the network; repeat",
    )
    control.add_argument(
        "--osc-send",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="tell a touch surface of every change; repeat",
    )
    parser.set_defaults(run=_live)


def _live(options: argparse.Namespace) -> int:
    from lavlive.commands.live import run_live

    _put_class(options)
    return run_live(options)


def _add_render(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "render", "a track to a video, through the same path as the show")
    parser.add_argument(
        "track", metavar="TRACK", help="any file with sound: wav, flac, ogg, mp3, m4a, mp4, …"
    )
    parser.add_argument(
        "-o", "--output", metavar="VIDEO", help="an mp4 file; beside one that exists, VIDEO-2.mp4 is written"
    )
    parser.add_argument("--force", action="store_true", help="write over a video that exists")
    parser.add_argument(
        "--report", metavar="FILE.json", help="also measure what can look wrong; without -o, that alone"
    )
    parser.add_argument(
        "--fps", default="30", help="pictures per second, such as 25, 29.97 or 30000/1001 (default: 30)"
    )
    parser.add_argument(
        "--size", default="1280x720", metavar="WxH", help="of the video (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds")
    parser.add_argument(
        "--as-published",
        action="store_true",
        help="the paper's path: EnCodec at 32 kHz unless --encoder says another, centred moving averages, "
        "no adaptation, no energy kept, no limit",
    )
    _add_channels(parser)
    _add_look(parser)
    parser.set_defaults(run=_render)


def _render(options: argparse.Namespace) -> int:
    from lavlive.commands.render import run_render

    _put_class(options)
    return run_render(options)


def _add_devices(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "devices", "audio inputs, loopbacks, MIDI ports, monitors, compute devices")
    parser.set_defaults(run=_devices)


def _devices(options: argparse.Namespace) -> int:
    from lavlive.commands.devices import run_devices

    return run_devices()


def _add_model(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "model", "look into a checkpoint, convert one, fetch the published encoder")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    info = _command(actions, "info", "what a generator's file holds")
    info.add_argument(
        "file", nargs="?", metavar="FILE", help="or a bundled model's name; the first of them if not given"
    )
    info.add_argument("--class", type=int, dest="class_index", metavar="N", help="statistics of one class")
    info.set_defaults(run=_model_info)
    convert = _command(actions, "convert", "make a safetensors file of a checkpoint")
    convert.add_argument("file", metavar="FILE")
    convert.add_argument("-o", "--output", required=True, metavar="FILE.safetensors")
    convert.set_defaults(run=_model_convert)
    fetch = _command(actions, "fetch", "download published weights into the cache")
    fetch.add_argument(
        "name",
        choices=["encodec", "encodec-32khz", "encodec-48khz"],
        help="EnCodec at 24 kHz, at 32 kHz (the paper's), at 48 kHz; all CC BY-NC 4.0",
    )
    fetch.set_defaults(run=_model_fetch)


def _model_info(options: argparse.Namespace) -> int:
    from lavlive.commands.model import info
    from lavlive.resources import generator_file

    print(info(generator_file(options.file), options.class_index))
    return 0


def _model_convert(options: argparse.Namespace) -> int:
    from lavlive.commands.model import convert

    print(convert(Path(options.file), Path(options.output)))
    return 0


def _model_fetch(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from lavlive.encoder.fetch import PUBLISHED, fetch_published, file_hash

    with tqdm(unit="B", unit_scale=True, desc=options.name, disable=None) as bar:

        def progress(received: int, expected: int | None) -> None:
            bar.total = expected
            bar.update(received - bar.n)

        path = fetch_published(options.name, progress)
    published = PUBLISHED[options.name]
    print(f"{path}\nSHA-256 {file_hash(path)}: {published.known}\n{published.notice}")
    return 0


def _add_bench(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "bench", "time every stage, and sound to picture")
    # The bench's options stand in its own file, which imports nothing heavy at the top.
    from lavlive.bench import run as bench

    bench.add_arguments(parser)
    parser.set_defaults(run=bench.main)


def _add_study(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands, "study", "does it follow the music? The method tested on tracks, with a report"
    )
    # As with the bench: nothing heavy at the top of its file.
    from lavlive.commands import study as command

    command.add_arguments(parser)
    parser.set_defaults(run=command.main)
