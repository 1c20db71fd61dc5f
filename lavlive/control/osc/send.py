"""Tells touch surfaces what the values are now."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from pythonosc.osc_message_builder import OscMessageBuilder

from lavlive.control.actions import ACTIONS
from lavlive.control.osc.bindings import OscBinding, OscBindings
from lavlive.control.osc.wishes import (
    ADDRESSES,
    PREFIX,
    Address,
    OscEvent,
    SetParameter,
    Subscribe,
    normalised_address,
    parameter_address,
)
from lavlive.errors import ControlError
from lavlive.parameters import Parameter, Value, Values

_DO_NOT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)
_PERIOD = 0.05
_SUBSCRIBED_SECONDS = 60.0
_MOST_SUBSCRIBERS = 16
_ECHO_SECONDS = 0.3
_TABLE_PAUSE = 0.25


@dataclass
class _Target:
    """Somebody who is told.

    `sent` is what they know; `touched` is when they moved a parameter themselves: while a finger is on a
    fader, telling it where it is would make it jitter.
    """

    address: Address
    normalised: bool
    until: float
    sent: dict[str, Value] = field(default_factory=dict)
    touched: dict[str, float] = field(default_factory=dict)
    preset: str = ""


class OscSender:
    """Sends changed values to subscribers, twenty times a second at most; belongs to the main thread.

    Sending never waits: what the network does not take at once is counted in `lost`.
    """

    def __init__(
        self,
        server_socket: socket.socket,
        always: tuple[Address, ...] = (),
        learned: OscBindings | None = None,
    ) -> None:
        self._socket = server_socket
        self._learned = learned or OscBindings()
        self._targets: dict[tuple[Address, bool], _Target] = {}
        self._due = float("-inf")
        self._tables: dict[str, float] = {}
        self.lost = 0
        self.sent = 0
        for host, port in always:
            address = _resolve(host, port, server_socket.family)
            self._targets[address, False] = _Target(address, False, float("inf"))

    @property
    def subscribers(self) -> tuple[Address, ...]:
        """Who is told at present."""
        return tuple(address for address, _ in self._targets)

    def take(self, event: OscEvent, now: float) -> None:
        """Remember who moved what, who wants to be told, and who no longer does."""
        match event.wish:
            case SetParameter(name=name, value=value):
                for target in self._targets.values():
                    if target.address[0] == event.sender[0]:
                        target.touched[name] = now
                        target.sent[name] = value
            case Subscribe() as wish:
                self._subscribe(event.sender, wish, now)

    def _subscribe(self, sender: Address, wish: Subscribe, now: float) -> None:
        address = (sender[0], wish.port or sender[1])
        key = (address, wish.normalised)
        if wish.ends:
            for normalised in (False, True):
                self._targets.pop((address, normalised), None)
        elif key in self._targets:
            target = self._targets[key]
            target.until = max(target.until, now + _SUBSCRIBED_SECONDS)
            target.sent.clear()
        elif len(self._targets) < _MOST_SUBSCRIBERS:
            self._targets[key] = _Target(address, wish.normalised, now + _SUBSCRIBED_SECONDS)

    def step(self, now: float, values: Values, preset: str) -> None:
        """Tell everybody what changed since they were told last."""
        if now < self._due:
            return
        self._due = now + _PERIOD
        for key, target in list(self._targets.items()):
            if now > target.until:
                del self._targets[key]
                continue
            self._tell(target, now, values, preset)

    def _tell(self, target: _Target, now: float, values: Values, preset: str) -> None:
        for parameter in values.parameters():
            value = values[parameter.name]
            if target.sent.get(parameter.name) == value:
                continue
            if now - target.touched.get(parameter.name, float("-inf")) < _ECHO_SECONDS:
                continue
            target.sent[parameter.name] = value
            if target.normalised:
                self._send(
                    target.address, normalised_address(parameter.name), float(parameter.to_unit(value))
                )
            else:
                self._send(target.address, parameter_address(parameter.name), _argument(parameter, value))
            for binding in self._learned.bound_to(parameter.name):
                self._tell_surface(target, binding, values)
        if target.preset != preset:
            target.preset = preset
            self._send(target.address, f"{PREFIX}preset/current", preset)

    def _tell_surface(self, target: _Target, binding: OscBinding, values: Values) -> None:
        """Tell a surface at its own address where its control stands, with all values of an XY pad."""
        together = {
            other.argument: other for other in self._learned.bindings if other.address == binding.address
        }
        if sorted(together) != list(range(1, len(together) + 1)):
            return  # what the values in between are is not known
        places = [
            other.sent(other.travel_of(values[other.parameter.name])) if other.parameter is not None else 0.0
            for _, other in sorted(together.items())
        ]
        self._send(target.address, binding.address, *places)

    def answer_table(self, sender: Address, now: float, values: Values, presets: list[str]) -> None:
        """Answer ``/lavlive/?``: one message for each parameter, action and preset, and one at the end.

        Nobody is answered more than four times a second, so that nobody is flooded in another's name.
        """
        if now - self._tables.get(sender[0], float("-inf")) < _TABLE_PAUSE:
            return
        if len(self._tables) > 256:
            self._tables.clear()
        self._tables[sender[0]] = now
        parameters = values.parameters()
        for p in parameters:
            self._send(
                sender,
                f"{PREFIX}?/parameter",
                parameter_address(p.name),
                p.kind.value,
                _argument(p, values[p.name]),
                _argument(p, p.default),
                float(p.low),
                float(p.high),
                p.unit,
                " ".join(p.choices),
                p.help,
            )
        for address, name in ADDRESSES.actions.items():
            self._send(sender, f"{PREFIX}?/action", address, ACTIONS[name].argument, ACTIONS[name].help)
        for name in presets[:200]:
            self._send(sender, f"{PREFIX}?/preset", name)
        self._send(sender, f"{PREFIX}?/end", len(parameters), len(ADDRESSES.actions), len(presets[:200]))

    def _send(self, target: Address, address: str, *arguments: float | int | str | bool) -> None:
        builder = OscMessageBuilder(address)
        for argument in arguments:
            builder.add_arg(argument)
        try:
            self._socket.sendto(builder.build().dgram, _DO_NOT_WAIT, target)
            self.sent += 1
        except OSError:
            self.lost += 1


def _argument(parameter: Parameter, value: Value) -> float | int | str:
    """A value as OSC types that every surface reads: 0 and 1 for switches, text for choices."""
    if isinstance(value, bool):
        return int(value)
    if parameter.glides:
        return float(value)
    return value


def _resolve(host: str, port: int, family: int) -> Address:
    try:
        found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)[0][4]
    except OSError as reason:
        raise ControlError(f"OSC cannot send to {host}:{port}: {reason}.") from None
    return str(found[0]), int(found[1])
