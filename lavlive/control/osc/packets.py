"""OSC packets to messages, strictly.

After the Open Sound Control 1.0 specification. python-osc's own parser pads what was cut short, skips
arguments of unknown type and writes to the log for each; a server in the open needs to refuse.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

Argument = int | float | bool | str

LARGEST_PACKET = 8192
_DEEPEST_BUNDLE = 4
_MOST_ARGUMENTS = 32
_BUNDLE = b"#bundle\0"
_AT_ONCE = 1
_SECONDS_1900_TO_1970 = 2_208_988_800
_NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}


class BadPacket(ValueError):
    """A packet that is no OSC, or of a kind that nothing here takes."""


@dataclass(frozen=True, slots=True)
class Message:
    """One OSC message.

    Attributes:
        address: exact, beginning with a slash.
        arguments: numbers, booleans and text.
        early: its bundle was dated more than a tenth of a second into the future.
    """

    address: str
    arguments: tuple[Argument, ...]
    early: bool = False


def decode(packet: bytes, wall_time: float | None = None) -> list[Message]:
    """The messages of a packet, those in bundles in their order.

    Args:
        packet: one datagram.
        wall_time: seconds since 1970, to judge time tags by; None asks the clock.

    Raises:
        BadPacket: anything wrong with any part of it; then none of it counts.
    """
    if len(packet) > LARGEST_PACKET:
        raise BadPacket(f"longer than {LARGEST_PACKET} bytes")
    return list(_decode(packet, time.time() if wall_time is None else wall_time, 0, False))


def _decode(packet: bytes, wall_time: float, depth: int, early: bool) -> Iterator[Message]:
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
            raise BadPacket("bundle cut short")
        yield from _decode(element, wall_time, depth + 1, early)
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
        if tag in "TF":
            arguments.append(tag == "T")
        elif tag == "s":
            text, at = _text(packet, at)
            arguments.append(text)
        elif tag in _NUMBERS:
            size = struct.calcsize(_NUMBERS[tag])
            if at + size > len(packet):
                raise BadPacket("number cut short")
            arguments.append(struct.unpack_from(_NUMBERS[tag], packet, at)[0])
            at += size
        else:
            raise BadPacket(f"type {tag!r} is not taken")
    if at != len(packet):
        raise BadPacket("bytes left over")
    return Message(address, tuple(arguments), early)


def _text(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    after = end + 4 - end % 4
    if end < 0 or packet[end:after].strip(b"\0"):
        raise BadPacket("text without an end")
    try:
        return packet[at:end].decode("utf-8"), after
    except UnicodeDecodeError:
        raise BadPacket("text is not UTF-8") from None
