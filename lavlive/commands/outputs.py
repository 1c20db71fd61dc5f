"""The command ``lavlive outputs``: where the canvas can go from this machine, and why not elsewhere."""

from __future__ import annotations

from pathlib import Path

from lavlive.errors import OutputError
from lavlive.resources import config_folder
from lavlive.stage.output.takers.addresses import open_to_others, read_streams
from lavlive.stage.output.takers.kinds import KINDS
from lavlive.stage.output.takers.live_encoder import LiveSettings, choose_encoder
from lavlive.stage.recording.codecs import CODECS, encoder_of


def streams_file() -> Path:
    """Where streams are kept with their keys."""
    return config_folder() / "streams.toml"


def list_outputs() -> list[str]:
    """Streams, other programs and recordings, a line each, with what it lacks."""
    lines = []
    for kind in KINDS:
        lacking = kind.lacks()
        note = f" ({kind.note})" if kind.note else ""
        lines.append(f"{kind.name:10} {kind.help}: {lacking or 'available'}{note}")
    lines.append(f"{'':10} streams are encoded by {choose_encoder(LiveSettings())[0]}")
    for name, codec in CODECS.items():
        found = encoder_of(codec)
        lines.append(f"{'record':10} {name}: {codec.help if found else 'no encoder here: ' + codec.help}")
    lines.append(f"{'render':10} png: a picture each, and the sound beside them")
    return lines + _streams(streams_file())


def _streams(path: Path) -> list[str]:
    if not path.exists():
        return ["", f"No streams are named; keep them in {path}, or give --stream ADDRESS."]
    lines = ["", f"Streams of {path}:"]
    try:
        for stream in read_streams(path):
            settings = stream.settings
            width, height = settings.size
            lines.append(
                f"  {stream.name}: {stream.target.url}, {width} x {height}, {settings.rate:g} pictures/s, "
                f"{settings.kilobits} kbit/s"
            )
    except OutputError as error:
        lines.append(f"  {error}")
    if open_to_others(path):
        lines.append(f"  Other users of this computer can read the keys in it: chmod 600 {path}")
    return lines
