"""What is typed for ``bench`` and ``study``."""

from __future__ import annotations

from typing import Any

from lavlive.commands.arguments.parsing import ENCODER, MODEL, Commands, command, made
from lavlive.commands.options import BenchOptions, StudyOptions


def _bench(typed: dict[str, Any]) -> BenchOptions:
    return made(BenchOptions, typed, runner=tuple(typed.get("runner", ())))


def _study(typed: dict[str, Any]) -> StudyOptions:
    return made(StudyOptions, typed, tracks=tuple(typed["tracks"]))


def add_bench(commands: Commands) -> None:
    """The options of ``bench``."""
    parser = command(commands, "bench", "time every stage, and sound to picture", _bench)
    parser.add_argument("--json", metavar="FILE", help="also write every figure as JSON")
    parser.add_argument("--model", metavar="FILE", help=MODEL)
    parser.add_argument("--encoder", metavar=ENCODER, help="default: bundled")
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


def add_study(commands: Commands) -> None:
    """The options of ``study``."""
    parser = command(
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
    parser.add_argument("--model", metavar="FILE", help=MODEL)
    parser.add_argument("--encoder", metavar=ENCODER, help=f"default: {StudyOptions.encoder}")
    parser.add_argument("--runner", help=f"of the generator (default: {StudyOptions.runner})")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core, at most 8)")
