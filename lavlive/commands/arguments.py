"""The command line: what is typed becomes options of `lavlive.commands.options`, here and nowhere else.

Defaults stand in the dataclasses alone: of what was not typed, argparse keeps nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from lavlive import __version__
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
    NodeOptions,
    OutputsOptions,
    RenderOptions,
    StudyOptions,
)
from lavlive.commands.typed import parse_canvas, parse_size, split_setting
from lavlive.errors import UsageError

_Options = TypeVar("_Options")
_ENCODER = "FILE|bundled|encodec|…"
_MODEL = "a bundled generator's name or a file; the first bundled one if not given"


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed.

    Attributes:
        debug: whether tracebacks are wanted.
        options: makes the command's options; raises LavliveError for a value that it cannot have.
    """

    debug: bool
    options: Callable[[], AnyOptions]


def parse(arguments: Sequence[str]) -> Typed:
    """Read a command line; ends the process, as argparse does, with help or where an option is unknown."""
    parser = _parser()
    typed = parser.parse_args(arguments or ["live"])
    if not hasattr(typed, "make"):
        typed = parser.parse_args(["live", *arguments])
    make: Callable[[dict[str, Any]], AnyOptions] = typed.make
    return Typed("debug" in typed, lambda: make(vars(typed)))


def _made(kind: Callable[..., _Options], typed: dict[str, Any], **converted: Any) -> _Options:
    """One of the dataclasses, of what was typed of its fields."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in typed.items() if name in names} | converted)


def _look(typed: dict[str, Any]) -> dict[str, Any]:
    settings = dict(split_setting(text) for text in typed.get("settings", ()))
    if "class_index" in typed:  # --class N is short for --set generator.class=N
        settings["generator.class"] = typed["class_index"]
    return {"settings": settings}


def _live(typed: dict[str, Any]) -> LiveOptions:
    converted = _look(typed)
    if "record_size" in typed:
        converted["record_size"] = parse_size(typed["record_size"])
    if "canvas" in typed:
        converted["canvas"] = parse_canvas(typed["canvas"])
    for name in ("osc_allow", "osc_send", "stream"):
        converted[name] = tuple(typed.get(name, ()))
    return _made(LiveOptions, typed, **converted)


def _conduct(typed: dict[str, Any]) -> LiveOptions:
    return _live({"conduct": ""} | typed)


def _node(typed: dict[str, Any]) -> NodeOptions:
    converted: dict[str, Any] = {}
    if "whole" in typed:
        converted["whole"] = parse_size(typed["whole"])
    if "monitor" in typed:
        converted["fullscreen"] = True
    return _made(NodeOptions, typed, **converted)


def _rendering(kind: Callable[..., _Options], typed: dict[str, Any]) -> _Options:
    converted = _look(typed)
    if "size" in typed:
        converted["size"] = parse_size(typed["size"])
    return _made(kind, typed, **converted)


def _video(typed: dict[str, Any]) -> RenderOptions:
    return _rendering(RenderOptions, typed)


def _film(typed: dict[str, Any]) -> FarmOptions:
    return _rendering(FarmOptions, typed)


def _directions(typed: dict[str, Any]) -> ModelDirectionsOptions:
    names = {}
    for text in typed.get("names", ()):
        dial, equals, name = text.partition("=")
        if not equals:
            raise UsageError(f"--name takes DIAL=NAME, such as coarse.1=opening, not {text!r}.")
        names[dial.strip()] = name.strip()
    return _made(ModelDirectionsOptions, typed, names=names)


def _mix(typed: dict[str, Any]) -> ModelMixOptions:
    text = typed.pop("blend", None)
    if text is None:
        return _made(ModelMixOptions, typed)
    try:
        amounts = tuple(float(part) for part in str(text).split(","))
    except ValueError:
        amounts = ()
    return _made(ModelMixOptions, typed, blend=amounts)


def _bench(typed: dict[str, Any]) -> BenchOptions:
    return _made(BenchOptions, typed, runner=tuple(typed.get("runner", ())))


def _study(typed: dict[str, Any]) -> StudyOptions:
    return _made(StudyOptions, typed, tracks=tuple(typed["tracks"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lavlive",
        description="StyleGAN2 pictures that follow sound, live. Without a command: the show.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=f"lavlive {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and what the engine prints")
    commands = parser.add_subparsers(metavar="COMMAND")
    _add_live(_command(commands, "live", "the show: sound in, pictures out", _live))
    _add_live(_command(commands, "conduct", "the show, and it tells other machines what to show", _conduct))
    _add_node(commands)
    _add_render(commands)
    _add_farm(commands)
    _command(
        commands,
        "devices",
        "audio inputs, loopbacks, MIDI ports, monitors, compute devices",
        lambda typed: DevicesOptions(),
    )
    _command(
        commands,
        "outputs",
        "streams, other programs and recordings that this machine can do",
        lambda typed: OutputsOptions(),
    )
    _add_model(commands)
    _add_bench(commands)
    _add_study(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    make: Callable[[dict[str, Any]], AnyOptions] | None,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, argument_default=argparse.SUPPRESS)
    # The flag is allowed after the command as well.
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    if make is not None:
        parser.set_defaults(make=make)
    return parser


def _add_look(parser: argparse.ArgumentParser) -> None:
    look = parser.add_argument_group("the look")
    look.add_argument(
        "--model",
        metavar="FILE",
        help="a bundled generator's name, or a StyleGAN2 file; a folder is a bank of them",
    )
    look.add_argument("--encoder", metavar=_ENCODER, help=f"default: {LiveOptions.encoder}")
    look.add_argument("--preset", metavar="NAME", help="begin with this preset")
    look.add_argument(
        "--set",
        action="append",
        dest="settings",
        metavar="NAME=VALUE",
        help="begin with this value; repeat",
    )
    look.add_argument("--class", type=int, dest="class_index", metavar="N", help="of a conditional model")
    look.add_argument("--learned", metavar="FILE", help="a learned projection, for projection.kind=learned")
    look.add_argument(
        "--runner", help=f"auto, torch, openvino, cuda (default: {LiveOptions.runner}, which measures)"
    )
    look.add_argument(
        "--shape",
        metavar="W:H|screen|own",
        help="of the pictures: 16:9, 4:3, 21:9, the screen's, or the model's own "
        f"(default: {LiveOptions.shape})",
    )
    look.add_argument(
        "--fill",
        choices=("auto", "stretch", "mirror", "tile"),
        help=f"how the model's beginnings come to that shape (default: {LiveOptions.fill})",
    )
    look.add_argument(
        "--shaders",
        metavar="FOLDER",
        help="ISF effects, generators and transitions, beside the bundled ones and those in "
        "~/.config/lavlive/shaders",
    )
    look.add_argument("--log-w", metavar="FILE", help="write w+ of every hop, raw float32")


def _add_channels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--channels",
        metavar="3,4",
        help="which channels to hear: numbers, or all, left, right, mid, side (default: all; of an input the "
        "first two)",
    )


def _add_live(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--silent", action="store_false", dest="aloud", help="do not play the track aloud")
    parser.add_argument("--once", action="store_false", dest="loop", help="do not loop the track")
    _add_look(parser)
    show = parser.add_argument_group("the show")
    show.add_argument("--fullscreen", action="store_true")
    show.add_argument("--monitor", metavar="N", help="index or name; see lavlive devices")
    show.add_argument("--canvas", metavar="WxH", help="of the canvas, up to 8192x4096; else the window's")
    show.add_argument(
        "--surfaces",
        metavar="FILE",
        help="what is shown on which screen (default: surfaces.toml, if it is there)",
    )
    show.add_argument("--headless", action="store_true", help="without a window")
    show.add_argument(
        "--badge", action="store_true", help="draw notices over the picture, too, while it is in a window"
    )
    show.add_argument("--no-panel", action="store_false", dest="panel", help="without the operator's panel")
    show.add_argument("--seconds", type=float, metavar="N", help="end after so long")
    show.add_argument("--record", metavar="FILE", help="also write a video: mp4, mov, mkv")
    show.add_argument(
        "--record-size",
        metavar="WxH",
        help="of the video, for --record and the key Ctrl+R; else the canvas's",
    )
    show.add_argument(
        "--record-codec",
        metavar="NAME",
        help=f"h264, h265, av1, prores (default: {LiveOptions.record_codec})",
    )
    show.add_argument(
        "--record-rate", metavar="N", help=f"pictures per second of it (default: {LiveOptions.record_rate})"
    )
    show.add_argument(
        "--rate", type=float, help=f"pictures per second, at most (default: {LiveOptions.rate:g})"
    )
    _add_outlets(parser.add_argument_group("other outputs; each can be switched during the show"))
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
        metavar="ADDRESS",
        help="a host that may send OSC from the network; repeat",
    )
    control.add_argument(
        "--osc-send",
        action="append",
        metavar="HOST:PORT",
        help="tell a touch surface of every change; repeat",
    )
    wall = parser.add_argument_group("a wall of machines")
    wall.add_argument(
        "--conduct",
        nargs="?",
        const="",
        metavar="HOST[:PORT]",
        help="tell nodes what to show: this machine's address, 0.0.0.0 for all (default: this machine alone)",
    )
    _add_wall(wall)


def _add_wall(wall: argparse._ArgumentGroup) -> None:
    wall.add_argument("--wall-key", metavar="FILE", help="its first line is the key of conductor and nodes")
    wall.add_argument(
        "--wall-certificates",
        metavar="FOLDER",
        help="ca.pem, and of the conductor cert.pem and key.pem, for tls/ and quic/",
    )


def _add_node(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "node", "a screen of a wall: shows what a conductor says", _node)
    wall = parser.add_argument_group("the wall")
    wall.add_argument(
        "--connect",
        metavar="HOST[:PORT]|find",
        help="the conductor's address; find asks the network for it (default: this machine)",
    )
    wall.add_argument(
        "--node", metavar="NAME", help="this node's name (default: the computer's and a number)"
    )
    wall.add_argument(
        "--whole",
        metavar="WxH",
        help="size of the whole canvas (default: {}x{})".format(*NodeOptions.whole),
    )
    wall.add_argument(
        "--slice", metavar="X,Y,W,H", help="the part of it on this screen, in pixels or as shares"
    )
    _add_wall(wall)
    show = parser.add_argument_group("the picture")
    show.add_argument(
        "--model", metavar="FILE", help="a model of its own; else the conductor's if it is here"
    )
    show.add_argument("--runner", help=f"auto, torch, openvino, cuda (default: {LiveOptions.runner})")
    show.add_argument("--shape", metavar="W:H|screen|own", help=f"default: {LiveOptions.shape}, of the whole")
    show.add_argument("--screen", metavar="N", dest="monitor", help="fill this monitor; see lavlive devices")
    show.add_argument("--headless", action="store_true", help="without a window")
    show.add_argument("--no-panel", action="store_false", dest="panel", help="without the operator's panel")
    show.add_argument("--seconds", type=float, metavar="N", help="end after so long")
    show.add_argument("--rate", type=float, help=f"pictures per second, at most ({LiveOptions.rate:g})")


def _add_outlets(outputs: argparse._ArgumentGroup) -> None:
    outputs.add_argument(
        "--stream",
        action="append",
        metavar="NAME|ADDRESS",
        help="of streams.toml, or rtmp://host/app/key, srt://host:port, udp://…, https://…; repeat",
    )
    outputs.add_argument("--ndi", action="store_true", help="NDI (pip install 'lavlive[ndi]')")
    outputs.add_argument(
        "--camera", action="store_true", help="a virtual camera (pip install 'lavlive[camera]'; GPL)"
    )
    outputs.add_argument(
        "--syphon", action="store_true", help="Syphon, on a Mac (pip install 'lavlive[syphon]')"
    )
    outputs.add_argument("--name", metavar="NAME", help=f"for other programs (default: {LiveOptions.name})")


def _add_farm(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "farm", "films by many workers (pip install 'lavlive[farm]')", None)
    actions = parser.add_subparsers(required=True, dest="action", metavar="ACTION")
    render = _command(actions, "render", "a track to a video, like lavlive render, drawn by many", _film)
    farm = render.add_argument_group("the farm")
    farm.add_argument(
        "--ray", metavar="ADDRESS", help="of a Ray cluster that runs (default: one on this machine, for now)"
    )
    farm.add_argument(
        "--workers", type=int, metavar="N", help="how many draw (default: graphics cards, or half the cores)"
    )
    _add_rendering(render)


def _add_render(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "render", "a track to a video, through the same path as the show", _video)
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
    _add_channels(parser)
    _add_look(parser)


def _add_model(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands, "model", "look into a checkpoint, convert one, fetch the published encoder", None
    )
    actions = parser.add_subparsers(required=True, dest="action", metavar="ACTION")
    info = _command(
        actions, "info", "what a generator's file holds", lambda typed: _made(ModelInfoOptions, typed)
    )
    info.add_argument(
        "model",
        nargs="?",
        metavar="FILE",
        help="or a bundled model's name; the first of them if not given",
    )
    info.add_argument("--class", type=int, dest="class_index", metavar="N", help="statistics of one class")
    convert = _command(
        actions,
        "convert",
        "make a safetensors file of a checkpoint",
        lambda typed: _made(ModelConvertOptions, typed),
    )
    convert.add_argument("model", metavar="FILE")
    convert.add_argument("-o", "--output", required=True, metavar="FILE.safetensors")
    directions = _command(
        actions,
        "directions",
        "what each dial of a generator does, as a sheet of pictures; its name",
        _directions,
    )
    directions.add_argument("model", metavar="FILE", help="or a bundled model's name")
    directions.add_argument(
        "-o", "--output", dest="sheet", metavar="SHEET.jpg", help="draw each dial from -3 to 3"
    )
    directions.add_argument(
        "--name",
        action="append",
        dest="names",
        metavar="coarse.1=opening",
        help="what to call a dial, in a file beside the model; repeat",
    )
    directions.add_argument(
        "--keep",
        action="store_true",
        help="write the dials beside the model, so that no show searches for them",
    )
    directions.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help=f"which picture is turned (default: {ModelDirectionsOptions.seed})",
    )
    mix = _command(actions, "mix", "a model of two: layers of both, or weights between both", _mix)
    mix.add_argument("model", metavar="A", help="a file or a bundled model's name; W stays this one's")
    mix.add_argument("other", metavar="B", help="of the same shape")
    mix.add_argument(
        "--from",
        type=int,
        dest="swapped_from",
        metavar="RESOLUTION",
        help="from this resolution on, all layers are B's (layer swapping)",
    )
    mix.add_argument(
        "--blend",
        metavar="COARSE,MIDDLE,FINE",
        help="how much of B's weights the layer groups have, 0 to 1; where the models have no common "
        "ancestor, layers are swapped from 0.5 on",
    )
    mix.add_argument("-o", "--output", required=True, metavar="C.safetensors")
    fetch = _command(
        actions,
        "fetch",
        "download published weights into the cache",
        lambda typed: _made(ModelFetchOptions, typed),
    )
    fetch.add_argument(
        "name",
        choices=["encodec", "encodec-32khz", "encodec-48khz"],
        help="EnCodec at 24 kHz, at 32 kHz (the paper's), at 48 kHz; all CC BY-NC 4.0",
    )


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "bench", "time every stage, and sound to picture", _bench)
    parser.add_argument("--json", metavar="FILE", help="also write every figure as JSON")
    parser.add_argument("--model", metavar="FILE", help=_MODEL)
    parser.add_argument("--encoder", metavar=_ENCODER)
    parser.add_argument(
        "--runner",
        action="append",
        metavar="NAME",
        help="of the generator; repeat. All that can be had, and auto for the show, if not given",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="N",
        help=f"of each measurement (default: {BenchOptions.seconds:g})",
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="of the generator, when stages are timed on a CPU"
    )
    parser.add_argument(
        "--rate", type=float, help=f"pictures per second, at most (default: {BenchOptions.rate:g})"
    )
    parser.add_argument("--window", action="store_true", help="show in a window instead of headless")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--no-show", action="store_false", dest="show", help="time the stages only")
    parts.add_argument("--no-stages", action="store_false", dest="stages", help="watch the show only")
    parser.add_argument("--scale", action="store_true", help="how cost grows; takes the place of the rest")
    parser.add_argument(
        "--canvas", action="store_true", help="what effects cost, 0, 3 and 6 of them at 1280 × 720; likewise"
    )
    latency = parser.add_argument_group("sound to picture; takes the place of the rest")
    latency.add_argument(
        "--latency", nargs="?", type=int, const=200, metavar="CLICKS", help="send clicks (default: 200)"
    )
    latency.add_argument(
        "--output", choices=("stream", "ndi"), help="watch the clicks at the other end of an output, too"
    )
    latency.add_argument("--plot", metavar="FILE", help="save a figure, png, svg or pdf")
    route = latency.add_mutually_exclusive_group()
    route.add_argument("--aloud", action="store_true", help="play the clicks through the default output")
    route.add_argument("--input", metavar="NAME", help="hear them through this line-in")
    route.add_argument("--loopback", nargs="?", const="", metavar="NAME", help="hear them through a loopback")


def _add_study(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands, "study", "does it follow the music? The method tested on tracks, with a report", _study
    )
    parser.add_argument(
        "tracks", nargs="+", metavar="TRACK", help="wav, flac, ogg or mp3, or folders of them; ten or more"
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        dest="folder",
        metavar="FOLDER",
        help="for the report; goes on where it stopped",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few conditions, two seeds: to see that it works"
    )
    parser.add_argument(
        "--so-far", action="store_true", help="run nothing more: the report of what is done on every track"
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help=f"random projections (default: {StudyOptions.seeds})"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="N", help=f"heard of each track (default: {StudyOptions.seconds:g})"
    )
    parser.add_argument("--model", metavar="FILE", help=_MODEL)
    parser.add_argument("--encoder", metavar=_ENCODER, help=f"default: {StudyOptions.encoder}")
    parser.add_argument("--runner", help=f"of the generator (default: {StudyOptions.runner})")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core, at most 8)")
