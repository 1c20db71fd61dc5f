"""What is typed for the show itself: ``live``, ``conduct`` and ``node``."""

from __future__ import annotations

import argparse
from typing import Any

from lavlive.commands.arguments.look import add_channels, add_look, look
from lavlive.commands.arguments.parsing import Commands, command, made
from lavlive.commands.options import LiveOptions, NodeOptions
from lavlive.commands.typed import parse_canvas, parse_size


def live(typed: dict[str, Any]) -> LiveOptions:
    """Options of the show."""
    converted = look(typed)
    if "record_size" in typed:
        converted["record_size"] = parse_size(typed["record_size"])
    if "canvas" in typed:
        converted["canvas"] = parse_canvas(typed["canvas"])
    for name in ("osc_allow", "osc_send", "stream"):
        converted[name] = tuple(typed.get(name, ()))
    return made(LiveOptions, typed, **converted)


def conduct(typed: dict[str, Any]) -> LiveOptions:
    """Options of a show that conducts others."""
    return live({"conduct": ""} | typed)


def _node(typed: dict[str, Any]) -> NodeOptions:
    converted: dict[str, Any] = {}
    if "whole" in typed:
        converted["whole"] = parse_size(typed["whole"])
    if "monitor" in typed:
        converted["fullscreen"] = True
    return made(NodeOptions, typed, **converted)


def add_live(parser: argparse.ArgumentParser) -> None:
    """The options of ``live`` and ``conduct``."""
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
    source.add_argument("--demo", action="store_true", help="the bundled demo track (default)")
    add_channels(parser)
    parser.add_argument("--silent", action="store_false", dest="aloud", help="do not play the track aloud")
    parser.add_argument("--once", action="store_false", dest="loop", help="do not loop the track")
    add_look(parser)
    show = parser.add_argument_group("the show")
    show.add_argument("--fullscreen", action="store_true", help="begin in full screen; the key F switches")
    show.add_argument("--monitor", metavar="N", help="for the picture: index or name; see lavlive devices")
    show.add_argument("--canvas", metavar="WxH", help="of the canvas, up to 8192x4096; else the window's")
    show.add_argument(
        "--surfaces",
        metavar="FILE",
        help="what is shown on which screen (default: surfaces.toml, if it is there)",
    )
    show.add_argument(
        "--badge", action="store_true", help="draw notices over the picture, too, while it is in a window"
    )
    _add_running(show)
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
    control.add_argument(
        "--remote",
        nargs="?",
        const="",
        metavar="[HOST:]PORT",
        help="a page for phones in this network, with a key in its address "
        "(default: 0.0.0.0:9080; pip install 'lavlive[remote]')",
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


def _add_running(show: argparse._ArgumentGroup) -> None:
    show.add_argument("--headless", action="store_true", help="without a window")
    show.add_argument("--no-panel", action="store_false", dest="panel", help="without the operator's panel")
    show.add_argument("--seconds", type=float, metavar="N", help="end after so long")
    show.add_argument(
        "--rate", type=float, help=f"pictures per second, at most (default: {LiveOptions.rate:g})"
    )


def _add_wall(wall: argparse._ArgumentGroup) -> None:
    wall.add_argument("--wall-key", metavar="FILE", help="its first line is the key of conductor and nodes")
    wall.add_argument(
        "--wall-certificates",
        metavar="FOLDER",
        help="ca.pem, and of the conductor cert.pem and key.pem, for tls/ and quic/",
    )


def add_node(commands: Commands) -> None:
    """The options of ``node``."""
    parser = command(commands, "node", "a screen of a wall: shows what a conductor says", _node)
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
    _add_running(show)


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
    outputs.add_argument(
        "--spout", action="store_true", help="Spout, on Windows (pip install 'lavlive[spout]')"
    )
    outputs.add_argument("--name", metavar="NAME", help=f"for other programs (default: {LiveOptions.name})")
