"""OSC packets to messages, strictly.

After the Open Sound Control 1.0 and 1.1 specifications. python-osc's own parser pads what was cut short,
skips arguments of unknown type and writes to the log for each; a server in the open needs to refuse. What
is wrong with one message of a bundle is that message's alone.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Special(Enum):
    """Arguments that are no number, truth or text."""

    IMPULSE = "impulse"
    NIL = "nil"
    OTHER = "of a type that nothing here takes"


Argument = int | float | bool | str | Special

LARGEST_PACKET = 8192
_DEEPEST_BUNDLE = 4
_MOST_ARGUMENTS = 32
_BUNDLE = b"#bundle\0"
_AT_ONCE = 1
_SECONDS_1900_TO_1970 = 2_208_988_800
_NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
_WITHOUT_BYTES: dict[str, Argument] = {"T": True, "F": False, "I": Special.IMPULSE, "N": Special.NIL}
_OTHERS = {"t": 8, "c": 4, "r": 4, "m": 4, "[": 0, "]": 0}
"""Bytes of the types that are known and of no use here: time, character, colour, MIDI, arrays."""


class BadPacket(ValueError):
    """A packet that is no OSC, or of a kind that nothing here takes."""


@dataclass(frozen=True, slots=True)
class Message:
    """One OSC message.

    Attributes:
        address: exact, beginning with a slash.
        arguments: numbers, booleans, text, and what else there is.
        early: its bundle was dated more than a tenth of a second into the future.
    """

    address: str
    arguments: tuple[Argument, ...]
    early: bool = False


def decode(packet: bytes, wall_time: float | None = None) -> list[Message | BadPacket]:
    """The messages of a packet, those in bundles in their order.

    Args:
        packet: one datagram.
        wall_time: seconds since 1970, to judge time tags by; None asks the clock.

    Returns:
        The messages. In the place of a part of a bundle that is wrong stands what is wrong with it; after
        a part whose length is wrong nothing more is found.

    Raises:
        BadPacket: what is wrong with a packet that is no bundle.
    """
    if len(packet) > LARGEST_PACKET:
        raise BadPacket(f"longer than {LARGEST_PACKET} bytes")
    return list(_decode(packet, time.time() if wall_time is None else wall_time, 0, False))


def _decode(packet: bytes, wall_time: float, depth: int, early: bool) -> Iterator[Message | BadPacket]:
    if len(packet) % 4 or not packet:
        raise BadPacket("not a multiple of four bytes")
    if packet.startswith(b"/"):
        yield _message(packet, early)
        return
    if not packet.startswith(_BUNDLE) or len(packet) < 16:
        raise BadPacket("neither message nor bundle")
    if depth >= _DEEPEST_BUNDLE:
        raise BadPacket("bundles too deep")
    tag = int.from_bytes(packet[8:16], "big")
    early = early or (tag != _AT_ONCE and tag / 2**32 - _SECONDS_1900_TO_1970 > wall_time + 0.1)
    at = 16
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        element = packet[at + 4 : at + 4 + size]
        if len(element) != size:
            yield BadPacket("bundle cut short")
            return
        try:
            yield from _decode(element, wall_time, depth + 1, early)
        except BadPacket as reason:
            yield reason
        at += 4 + size


def _message(packet: bytes, early: bool) -> Message:
    address, at = _text(packet, 0)
    if not (address.isascii() and address.isprintable()):
        raise BadPacket("address is not plain text")
    if at == len(packet):
        return Message(address, (), early)
    tags, at = _text(packet, at)
    if not tags.startswith(",") or len(tags) > _MOST_ARGUMENTS:
        raise BadPacket("no list of types, or too long a one")
    arguments: list[Argument] = []
    for tag in tags[1:]:
        argument, at = _argument(packet, tag, at)
        arguments.append(argument)
    if at != len(packet):
        raise BadPacket("bytes left over")
    return Message(address, tuple(arguments), early)


def _argument(packet: bytes, tag: str, at: int) -> tuple[Argument, int]:
    """One argument of that type, and where the next one begins."""
    if tag in _WITHOUT_BYTES:
        return _WITHOUT_BYTES[tag], at
    if tag in "sS":
        return _text(packet, at)
    if tag == "b":
        size = 4 + int.from_bytes(packet[at : at + 4], "big")
        size += -size % 4
    elif tag in _NUMBERS:
        size = struct.calcsize(_NUMBERS[tag])
    elif tag in _OTHERS:
        size = _OTHERS[tag]
    else:
        raise BadPacket(f"there is no type {tag!r}")
    if at + size > len(packet):
        raise BadPacket("argument cut short")
    if tag in _NUMBERS:
        number: float = struct.unpack_from(_NUMBERS[tag], packet, at)[0]
        return number, at + size
    return Special.OTHER, at + size


def _text(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    after = end + 4 - end % 4
    if end < 0 or packet[end:after].strip(b"\0"):
        raise BadPacket("text without an end")
    try:
        return packet[at:end].decode("utf-8"), after
    except UnicodeDecodeError:
        raise BadPacket("text is not UTF-8") from None
