"""What tools are given on their command lines, read as lavlive's own command line reads it."""

from __future__ import annotations

import argparse

from lavlive.commands.typed import parse_canvas
from lavlive.errors import UsageError


def size(text: str) -> tuple[int, int]:
    """``WxH`` of a canvas, for ``argparse``; what is none is told in a line."""
    try:
        return parse_canvas(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
