"""What is typed about the look, for the show and for films alike."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from lavlive.commands.arguments.parsing import ENCODER
from lavlive.commands.options import LiveOptions
from lavlive.commands.typed import split_setting
from lavlive.link.settings import Fill


def look(typed: dict[str, Any]) -> dict[str, Any]:
    """What was typed of the look, as the dataclasses take it."""
    settings = dict(split_setting(text) for text in typed.get("settings", ()))
    if "class_index" in typed:  # --class N is short for --set generator.class=N
        settings["generator.class"] = typed["class_index"]
    return {"settings": settings}


def add_look(parser: argparse.ArgumentParser) -> None:
    """The options of the look."""
    look = parser.add_argument_group("the look")
    look.add_argument(
        "--model",
        metavar="FILE",
        help="a bundled generator's name, or a StyleGAN2 or StyleGAN3 file; a folder is a bank of them",
    )
    look.add_argument(
        "--mix", metavar="FILE", help="another model to mix in, as --set mix.coarse=0.5 and the like ask for"
    )
    look.add_argument("--encoder", metavar=ENCODER, help=f"default: {LiveOptions.encoder}")
    look.add_argument("--preset", metavar="NAME", help="begin with this preset")
    look.add_argument(
        "--set",
        action="append",
        dest="settings",
        metavar="NAME=VALUE",
        help="begin with this value; repeat",
    )
    look.add_argument(
        "--class", type=int, dest="class_index", metavar="N", help="which class a conditional model shows"
    )
    look.add_argument(
        "--points", metavar="FILE.npz", help="begin with these keyframes, from lavlive model project"
    )
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
        choices=get_args(Fill),
        help="how the model's beginnings come to that shape: drawn out, with mirrors or copies beside them, "
        f"or with nothing (default: {LiveOptions.fill}, what the model's card says)",
    )
    look.add_argument(
        "--shaders",
        metavar="FOLDER",
        help="ISF effects, generators and transitions, beside the bundled ones and those in "
        "~/.config/lavlive/shaders",
    )
    look.add_argument("--log-w", metavar="FILE", help="write w+ of every hop, raw float32")


def add_channels(parser: argparse.ArgumentParser) -> None:
    """The option that chooses channels."""
    parser.add_argument(
        "--channels",
        metavar="3,4",
        help="which channels to hear: numbers, or all, left, right, mid, side (default: all; of an input the "
        "first two)",
    )
