"""What a watched stage does when a test asks for it, as a performer in the panel would."""

from __future__ import annotations

import msgspec

from lavlive.audio.spec import SourceSpec


class Wish(msgspec.Struct, frozen=True, tag_field="wish"):
    """One line of JSON on the stage's standard input."""


class Listen(Wish, frozen=True, tag=True):
    source: SourceSpec


class ShowModel(Wish, frozen=True, tag=True):
    path: str | None


class Record(Wish, frozen=True, tag=True):
    """`free`: bytes that the disk pretends to have."""

    path: str
    free: int | None = None


class StopRecording(Wish, frozen=True, tag=True):
    pass


class Save(Wish, frozen=True, tag=True):
    """Save a preset, and a binding, with a number in them."""

    number: int


class Bind(Wish, frozen=True, tag=True):
    number: int


AnyWish = Listen | ShowModel | Record | StopRecording | Save | Bind
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyWish).decode
