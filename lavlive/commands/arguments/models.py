"""What is typed for ``model``: info, convert, directions, mix, project, fetch."""

from __future__ import annotations

from typing import Any

from lavlive.commands.arguments.parsing import Commands, command, made
from lavlive.commands.options import (
    ModelConvertOptions,
    ModelDirectionsOptions,
    ModelFetchOptions,
    ModelInfoOptions,
    ModelMixOptions,
    ModelProjectOptions,
)
from lavlive.errors import UsageError


def _directions(typed: dict[str, Any]) -> ModelDirectionsOptions:
    names = {}
    for text in typed.get("names", ()):
        dial, equals, name = text.partition("=")
        if not equals:
            raise UsageError(f"--name takes DIAL=NAME, such as coarse.1=opening, not {text!r}.")
        names[dial.strip()] = name.strip()
    return made(ModelDirectionsOptions, typed, names=names)


def _mix(typed: dict[str, Any]) -> ModelMixOptions:
    text = typed.pop("blend", None)
    if text is None:
        return made(ModelMixOptions, typed)
    try:
        amounts = tuple(float(part) for part in str(text).split(","))
    except ValueError:
        amounts = ()
    return made(ModelMixOptions, typed, blend=amounts)


def add_model(commands: Commands) -> None:
    """The actions of ``model`` and their options."""
    parser = command(
        commands, "model", "look into a checkpoint, convert one, fetch the published encoder", None
    )
    actions = parser.add_subparsers(required=True, dest="action", metavar="ACTION")
    info = command(
        actions, "info", "what a generator's file holds", lambda typed: made(ModelInfoOptions, typed)
    )
    info.add_argument(
        "model",
        nargs="?",
        metavar="FILE",
        help="or a bundled model's name; the first of them if not given",
    )
    info.add_argument("--class", type=int, dest="class_index", metavar="N", help="statistics of one class")
    convert = command(
        actions,
        "convert",
        "make a safetensors file of a checkpoint",
        lambda typed: made(ModelConvertOptions, typed),
    )
    convert.add_argument("model", metavar="FILE", help="a checkpoint of StyleGAN2 or 3")
    convert.add_argument(
        "-o", "--output", required=True, metavar="FILE.safetensors", help="where to write it"
    )
    directions = command(
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
    mix = command(actions, "mix", "a model of two: layers of both, or weights between both", _mix)
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
    mix.add_argument("-o", "--output", required=True, metavar="C.safetensors", help="where to write it")
    project = command(
        actions,
        "project",
        "the points of a generator whose pictures are most like yours",
        lambda typed: made(ModelProjectOptions, typed),
    )
    project.add_argument("model", metavar="MODEL", help="a file or a bundled model's name")
    project.add_argument("pictures", nargs="+", metavar="PICTURE", help="picture files")
    project.add_argument(
        "-o", "--output", required=True, metavar="POINTS.npz", help="one that is there is gone on with"
    )
    project.add_argument(
        "--steps", type=int, metavar="N", help=f"of each search (default: {ModelProjectOptions.steps})"
    )
    project.add_argument(
        "--space", help=f"w+, a w per layer group, or w, one for all (default: {ModelProjectOptions.space})"
    )
    fetch = command(
        actions,
        "fetch",
        "download published weights into the cache",
        lambda typed: made(ModelFetchOptions, typed),
    )
    fetch.add_argument(
        "name",
        choices=["encodec", "encodec-32khz", "encodec-48khz"],
        help="EnCodec at 24 kHz, at 32 kHz (the paper's), at 48 kHz; all CC BY-NC 4.0",
    )
