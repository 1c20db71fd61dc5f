"""What is typed for films: ``render`` and ``farm render``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from lavlive.commands.arguments.look import add_channels, add_look, look
from lavlive.commands.arguments.parsing import Commands, Options, command, made
from lavlive.commands.options import FarmOptions, RenderOptions
from lavlive.commands.typed import parse_size


def _rendering(kind: Callable[..., Options], typed: dict[str, Any]) -> Options:
    converted = look(typed)
    if "size" in typed:
        converted["size"] = parse_size(typed["size"])
    return made(kind, typed, **converted)


def _video(typed: dict[str, Any]) -> RenderOptions:
    return _rendering(RenderOptions, typed)


def _film(typed: dict[str, Any]) -> FarmOptions:
    return _rendering(FarmOptions, typed)


def add_farm(commands: Commands) -> None:
    """The options of ``farm render``."""
    parser = command(commands, "farm", "films by many workers (pip install 'lavlive[farm]')", None)
    actions = parser.add_subparsers(required=True, dest="action", metavar="ACTION")
    render = command(actions, "render", "a track to a video, like lavlive render, drawn by many", _film)
    farm = render.add_argument_group("the farm")
    farm.add_argument(
        "--ray", metavar="ADDRESS", help="of a Ray cluster that runs (default: one on this machine, for now)"
    )
    farm.add_argument(
        "--workers", type=int, metavar="N", help="how many draw (default: graphics cards, or half the cores)"
    )
    _add_rendering(render)


def add_render(commands: Commands) -> None:
    """The options of ``render``."""
    parser = command(commands, "render", "a track to a video, through the same path as the show", _video)
    parser.add_argument(
        "--report", metavar="FILE.json", help="also measure what can look wrong; without -o, that alone"
    )
    _add_rendering(parser)


def _add_rendering(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "track", metavar="TRACK", help="any file with sound: wav, flac, ogg, mp3, m4a, mp4, …"
    )
    parser.add_argument(
        "-o",
        "--output",
        dest="video",
        metavar="VIDEO",
        help="mp4, mov or mkv; png for a file a picture. Beside one that exists, VIDEO-2.mp4 is written",
    )
    parser.add_argument("--force", action="store_true", help="write over a video that exists")
    parser.add_argument(
        "--codec", metavar="NAME", help=f"h264, h265, av1, prores (default: {RenderOptions.codec})"
    )
    parser.add_argument(
        "--fps",
        help=f"pictures per second, such as 25, 29.97 or 30000/1001 (default: {RenderOptions.fps})",
    )
    width, height = RenderOptions.size
    parser.add_argument("--size", metavar="WxH", help=f"of the video (default: {width}x{height})")
    parser.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds")
    parser.add_argument(
        "--as-published",
        action="store_true",
        help="the paper's path: EnCodec at 32 kHz unless --encoder says another, centred moving averages, "
        "no adaptation, no energy kept, no limit",
    )
    add_channels(parser)
    add_look(parser)
