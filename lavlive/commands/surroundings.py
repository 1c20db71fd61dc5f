"""What a show reaches beyond its own window: mapped screens, other outputs, a wall of machines."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lavlive import __version__
from lavlive.commands.options import LiveOptions, NodeOptions
from lavlive.commands.outputs import streams_file
from lavlive.errors import OutputError, SurfacesError
from lavlive.link.memory import SharedBlock
from lavlive.resources import config_folder
from lavlive.show.wall import WallPart
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import Surfaces
from lavlive.stage.output.mapping.surfaces_file import read_surfaces
from lavlive.stage.output.takers.addresses import (
    SCHEMES,
    Stream,
    open_to_others,
    read_streams,
    typed_stream,
)
from lavlive.stage.output.takers.kinds import KINDS, outlets_of
from lavlive.stage.output.takers.outlets import Outlets

if TYPE_CHECKING:
    from lavlive.wall.transport import Access, Transport


def open_mapping(options: LiveOptions, tell: Callable[[str], None]) -> ScreenMapping:
    """What is shown on which screen: as typed, else the user's own; nothing special where there is no file.

    Raises:
        SurfacesError: the file that was typed cannot be read.
    """
    path = Path(options.surfaces) if options.surfaces is not None else config_folder() / "surfaces.toml"
    surfaces: Surfaces | None = None
    try:
        if options.surfaces is not None or path.exists():
            surfaces = read_surfaces(path)
    except SurfacesError as error:
        if options.surfaces is not None:
            raise
        tell(f"{error} The canvas is shown whole until the file is mended.")
    return ScreenMapping(path, surfaces, tell)


def open_outlets(options: LiveOptions, tell: Callable[[str], None]) -> Outlets:
    """Where the canvas can go: streams, typed and named, and other programs. What was typed is on.

    Raises:
        OutputError: a stream of that name is not there, or its address is none.
    """
    path = streams_file()
    typed = options.stream
    wanted = {word for word in typed if not _is_address(word)}
    streams: list[Stream] = []
    try:
        streams = read_streams(path)
    except OutputError as error:
        if wanted:
            raise
        tell(str(error))
    if open_to_others(path):
        tell(f"Other users of this computer can read the keys in {path}: chmod 600 it")
    if unknown := wanted - {stream.name for stream in streams}:
        raise OutputError(
            f"There is no stream {unknown.pop()!r} in {path}; give an address, or name it there."
        )
    addresses = [word for word in typed if _is_address(word)]
    given = [typed_stream(address, number) for number, address in enumerate(addresses, start=1)]
    outlets = Outlets(outlets_of([*given, *streams], options.name), tell)
    on = wanted | {stream.name for stream in given}
    asked = {kind for kind in ("ndi", "camera", "syphon", "spout") if getattr(options, kind)}
    on |= asked
    for outlet in outlets.all:
        if outlet.spec.name in on:
            outlet.switch(True)
    for kind in KINDS:
        if kind.name in asked - {outlet.spec.kind for outlet in outlets.all}:
            tell(f"{kind.help}: {kind.lacks()}")
    return outlets


def _is_address(word: str) -> bool:
    return word.partition("://")[0] in SCHEMES and "://" in word


def open_wall(options: LiveOptions, link: SharedBlock) -> WallPart | None:
    """This show's part in a wall of machines, if it has one.

    Raises:
        WallError: an address, a key, certificates, or a port that is taken.
    """
    if not isinstance(options, NodeOptions) and options.conduct is None:
        return None
    from lavlive.show.wall import ConductorPart, FollowerPart, hops_of
    from lavlive.wall.conductor import Conductor
    from lavlive.wall.follower import Follower
    from lavlive.wall.threads import Conducting
    from lavlive.wall.transport import LOOPBACK, Access, Address, Transport, read_key

    access = Access(
        read_key(options.wall_key) if options.wall_key is not None else None,
        Path(options.wall_certificates) if options.wall_certificates is not None else None,
    )
    if isinstance(options, NodeOptions):
        connect = _connecting(options.connect, access)
        name = options.node or f"{platform.node() or 'node'} {os.getpid()}"
        place = options.slice or "all"
        follower = Follower(name, __version__)
        following = FollowerPart(follower, link, connect, place, options.model is not None)
        following.start()
        return following
    address = Address.parse(options.conduct or LOOPBACK)
    conductor = Conductor(secrets.randbits(48), __version__)
    conducting = Conducting(conductor, Transport.conduct(address, access), hops_of(link))
    conducting.start()
    return ConductorPart(conducting)


def _connecting(connect: str, access: Access) -> Callable[[], Transport]:
    """What connects a node to its conductor.

    Raises:
        WallError: it is no address.
    """
    from lavlive.wall.scouting import find
    from lavlive.wall.transport import FIND, LOOPBACK, Address, Transport

    if connect == FIND:
        return lambda: Transport.follow_any(find(), access)
    address = Address.parse(connect or LOOPBACK)
    return lambda: Transport.follow(address, access)
