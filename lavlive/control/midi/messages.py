"""MIDI bytes to events.

After the MIDI 1.0 specification: 14-bit controllers are pairs n and n + 32, coarse byte first; a coarse
byte alone means that the fine one is zero. NRPN are chosen by controllers 99 and 98 and moved by 6 and
38 (data entry), 96 and 97 (step up and down).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lavlive.control.events import ClockEvent, ClockMessage, ControlEvent, MidiControl, MidiControlKind

_CLOCK = {message.value: message for message in ClockMessage}
_IGNORED = frozenset({0xF0, 0xF1, 0xF3, 0xF6, 0xF7, 0xFE, 0xFF})
_LENGTHS = {0x80: 3, 0x90: 3, 0xA0: 3, 0xB0: 3, 0xC0: 2, 0xD0: 2, 0xE0: 3}

_DATA_COARSE, _DATA_FINE = 6, 38
_DATA_UP, _DATA_DOWN = 96, 97
_NRPN_FINE, _NRPN_COARSE, _RPN_FINE, _RPN_COARSE = 98, 99, 100, 101
_NULL = 127 << 7 | 127
_TOP_14 = 16383


@dataclass(slots=True)
class _Pair:
    """A 14-bit value that arrives in two bytes; that both were seen tells it from a lone controller."""

    coarse: int = 0
    fine: int = 0
    coarse_seen: bool = False
    fine_seen: bool = False

    def take_coarse(self, coarse: int) -> bool:
        """Store the coarse byte; True where it alone tells something new.

        The fine byte is on its way. Until it comes the value is the end of the new coarse step that is
        nearest to where we come from, so the value never turns back or overshoots on its way.
        """
        if coarse == self.coarse and self.coarse_seen:
            return False
        self.coarse_seen = True
        self.fine = 0 if coarse > self.coarse else 127
        self.coarse = coarse
        return True

    @property
    def value(self) -> int:
        return self.coarse << 7 | self.fine


class Parser:
    """Reads the messages of one device; it belongs to that device's callback.

    Attributes:
        bad: messages that were empty, cut short, with data bytes out of range, or running on without a
            status byte.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.bad = 0
        self._pairs: dict[tuple[int, int], _Pair] = {}
        self._nrpn: dict[int, int] = {}
        self._nrpn_values: dict[tuple[int, int], _Pair] = {}

    def parse(self, message: Sequence[int], time: float) -> list[ControlEvent | ClockEvent]:
        """The events in one message that arrived at `time`; nothing for what is bad or not of use."""
        if not message or not all(isinstance(byte, int) for byte in message):
            self.bad += 1
            return []
        status = message[0]
        if status in _CLOCK:
            return self._clock(_CLOCK[status], message, time)
        if status in _IGNORED:
            return []
        length = _LENGTHS.get(status & 0xF0)
        if length is None or not status <= 0xFF or len(message) != length:
            self.bad += 1
            return []
        data = message[1:]
        if not all(0 <= byte <= 127 for byte in data):
            self.bad += 1
            return []
        return list(self._channel_voice(status & 0xF0, (status & 0x0F) + 1, data, time))

    def _clock(
        self, kind: ClockMessage, message: Sequence[int], time: float
    ) -> list[ControlEvent | ClockEvent]:
        if kind is not ClockMessage.POSITION:
            return [ClockEvent(self.device, kind, time)]
        if len(message) != 3 or not all(0 <= byte <= 127 for byte in message[1:]):
            self.bad += 1
            return []
        return [ClockEvent(self.device, kind, time, message[1] | message[2] << 7)]

    def _channel_voice(
        self, status: int, channel: int, data: Sequence[int], time: float
    ) -> Iterator[ControlEvent]:
        match status:
            case 0xB0:
                yield from self._controller(channel, data[0], data[1], time)
            case 0x90:
                yield self._event(MidiControlKind.NOTE, channel, data[0], data[1], 127, time)
            case 0x80:
                yield self._event(MidiControlKind.NOTE, channel, data[0], 0, 127, time)
            case 0xA0:
                yield self._event(MidiControlKind.KEY_PRESSURE, channel, data[0], data[1], 127, time)
            case 0xE0:
                yield self._event(MidiControlKind.BEND, channel, 0, data[0] | data[1] << 7, _TOP_14, time)
            case 0xD0:
                yield self._event(MidiControlKind.PRESSURE, channel, 0, data[0], 127, time)
            case 0xC0:
                yield self._event(MidiControlKind.PROGRAM, channel, data[0], 127, 127, time)

    def _event(
        self, kind: MidiControlKind, channel: int, number: int, raw: int, top: int, time: float
    ) -> ControlEvent:
        return ControlEvent(self.device, MidiControl(kind, channel, number), raw / top, raw, time)

    def _controller(self, channel: int, number: int, value: int, time: float) -> Iterator[ControlEvent]:
        if number in (_NRPN_COARSE, _NRPN_FINE):
            selected = self._nrpn.get(channel, 0)
            self._nrpn[channel] = (
                value << 7 | selected & 0x7F if number == _NRPN_COARSE else selected & 0x3F80 | value
            )
        elif number in (_RPN_COARSE, _RPN_FINE):
            self._nrpn.pop(channel, None)
        elif number in (_DATA_COARSE, _DATA_FINE, _DATA_UP, _DATA_DOWN):
            selected = self._nrpn.get(channel, _NULL)
            if selected != _NULL:
                yield from self._data_entry(channel, selected, number, value, time)
                return
        yield self._event(MidiControlKind.CC, channel, number, value, 127, time)
        if number < 64:
            yield from self._pair(channel, number, value, time)

    def _pair(self, channel: int, number: int, value: int, time: float) -> Iterator[ControlEvent]:
        pair = self._pairs.setdefault((channel, number % 32), _Pair())
        if number >= 32:
            pair.fine, pair.fine_seen = value, True
        elif not pair.take_coarse(value):
            return
        if pair.fine_seen and pair.coarse_seen:
            yield self._event(MidiControlKind.CC14, channel, number % 32, pair.value, _TOP_14, time)

    def _data_entry(
        self, channel: int, selected: int, number: int, value: int, time: float
    ) -> Iterator[ControlEvent]:
        pair = self._nrpn_values.setdefault((channel, selected), _Pair())
        match number:
            case 6:
                if not pair.take_coarse(value) and pair.fine_seen:
                    return
                if not pair.fine_seen:
                    yield self._event(MidiControlKind.NRPN, channel, selected, value, 127, time)
                    return
            case 38:
                pair.fine, pair.fine_seen = value, True
            case _:
                moved = pair.value + (1 if number == _DATA_UP else -1)
                moved = min(max(moved, 0), _TOP_14)
                pair.coarse, pair.fine, pair.fine_seen = moved >> 7, moved & 0x7F, True
        yield self._event(MidiControlKind.NRPN, channel, selected, pair.value, _TOP_14, time)
