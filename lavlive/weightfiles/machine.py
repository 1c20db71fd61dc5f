"""The pickle machine: turns opcodes into placeholders and never calls anything a file names.

Python's own unpickler calls whatever a file asks for, and hooks only decide which names it may ask for.
This one holds a name on its stack as a name. REDUCE, NEWOBJ and BUILD look it up in an exact dictionary
of functions that build stand-ins; a name outside the dictionary ends the reading. All sizes that a file
announces are checked against the bytes that are there, and long byte strings stay in the file.

Opcodes: Python's ``pickletools``, protocols 0 to 5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lavlive.errors import CheckpointError
from lavlive.weightfiles.window import Window

_SHORT = 4096
_TEXT_LIMIT = 64 << 20
# A snapshot of 1024² with G, D and G_ema takes 64 000.
_OPERATION_LIMIT = 1_000_000
_INTEGER_BYTES = 64
_PLAIN_KEYS = (str, int, float, bytes, bool, type(None))


@dataclass(frozen=True)
class Name:
    """A module's attribute that a pickle names; never the attribute itself."""

    module: str
    name: str

    def __str__(self) -> str:
        # The file chose these letters: nothing of them may reach the terminal as a control sequence.
        return ascii(f"{self.module}.{self.name}"[:120])[1:-1]


class Stateful:
    """A stand-in that a pickle may hand a state to (BUILD)."""

    def receive(self, state: object) -> None:
        """Keep ``state``. Raises CheckpointError when it makes no sense."""
        raise NotImplementedError


Make = Callable[[tuple[object, ...]], object]


class Refused(CheckpointError):
    """A pickle names something outside the dictionary."""

    def __init__(self, name: Name) -> None:
        super().__init__(
            f"asks Python to use {name}, which no file of weights needs; refused, and nothing was run"
        )
        self.name = name


class Budget:
    """What one file may use, over all pickles nested in it."""

    def __init__(self, operations: int = _OPERATION_LIMIT, text: int = _TEXT_LIMIT) -> None:
        self.operations = operations
        self.text = text

    def spend_operation(self) -> None:
        """Count one opcode."""
        self.operations -= 1
        if self.operations < 0:
            raise CheckpointError(f"has more than {_OPERATION_LIMIT} steps; no file of weights needs so many")

    def spend_text(self, length: int) -> None:
        """Count ``length`` bytes of text or small byte strings."""
        self.text -= length
        if self.text < 0:
            raise CheckpointError(f"holds more than {_TEXT_LIMIT >> 20} MB of text; no file of weights does")


class Machine:
    """Reads one pickle from ``window``.

    ``known`` maps a name to the function that builds its stand-in from the arguments in the pickle, or to
    None for a name that may be mentioned but not called. ``persistent`` turns a persistent id into an
    object.
    """

    def __init__(
        self,
        window: Window,
        known: Mapping[tuple[str, str], Make | None],
        persistent: Callable[[object], object] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.window = window
        self.known = known
        self.persistent = persistent
        self.budget = budget or Budget()
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def load(self) -> object:
        """Run until STOP and return the object. Raises CheckpointError for anything unexpected."""
        while True:
            self.budget.spend_operation()
            code = self.window.read(1)
            if code == b".":
                return self._pop()
            operation = _OPERATIONS.get(code)
            if operation is None:
                raise CheckpointError(
                    f"damaged at byte {self.window.start + self.window.position - 1}: "
                    f"{code!r} is no step of a pickle that lavlive reads"
                )
            try:
                operation(self)
            except (ValueError, TypeError, UnicodeDecodeError, OverflowError) as error:
                raise CheckpointError(
                    f"damaged near byte {self.window.start + self.window.position}: {ascii(str(error))[:120]}"
                ) from error

    # The stack

    def _push(self, value: object) -> None:
        self.stack.append(value)

    def _pop(self) -> object:
        floor = self.marks[-1] if self.marks else 0
        if len(self.stack) <= floor:
            raise CheckpointError("damaged: a step takes more than the pickle has laid down")
        return self.stack.pop()

    def _top(self) -> object:
        value = self._pop()
        self._push(value)
        return value

    def _pop_mark(self) -> list[object]:
        if not self.marks:
            raise CheckpointError("damaged: a group ends that never began")
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    # Numbers and text

    def _unsigned(self, size: int) -> int:
        return int.from_bytes(self.window.read(size), "little")

    def _text(self, size: int) -> None:
        self.budget.spend_text(size)
        self._push(self.window.read(size).decode("utf-8", "surrogatepass"))

    def _old_text(self, size: int) -> None:
        self.budget.spend_text(size)
        self._push(self.window.read(size).decode("latin-1"))

    def _bytes(self, size: int) -> None:
        if size > _SHORT:
            self._push(self.window.take(size))
        else:
            self.budget.spend_text(size)
            self._push(self.window.read(size))

    def _long(self, size: int) -> None:
        if size > _INTEGER_BYTES:
            raise CheckpointError(f"damaged: a number of {size} bytes")
        self._push(int.from_bytes(self.window.read(size), "little", signed=True))

    def _decimal(self) -> None:
        line = self.window.line()
        if len(line) > 2 * _INTEGER_BYTES:
            raise CheckpointError("damaged: a number is too long")
        if line in (b"00", b"01"):
            self._push(line == b"01")
        else:
            self._push(int(line.rstrip(b"L")))

    def _float(self) -> None:
        self._push(float(self.window.line()))

    def _quoted(self) -> None:
        line = self.window.line()
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1] or b"\\" in line:
            raise CheckpointError("damaged: a quoted text that is none")
        self.budget.spend_text(len(line))
        self._push(line[1:-1].decode("latin-1"))

    def _raw_unicode(self) -> None:
        line = self.window.line()
        self.budget.spend_text(len(line))
        self._push(line.decode("raw-unicode-escape"))

    # Containers

    def _tuple(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(values)))

    def _append(self, values: list[object]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(values)
        else:
            raise CheckpointError("damaged: something is appended to what is no list")

    def _set_items(self, values: list[object]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(values) % 2:
            raise CheckpointError("damaged: an entry is put into what is no table")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if _plain_key(key) in target:
                raise CheckpointError(f"damaged: it holds {ascii(key)[:80]} twice")
            target[key] = value

    def _set_item(self) -> None:
        value = self._pop()
        key = self._pop()
        self._set_items([key, value])

    def _append_one(self) -> None:
        self._append([self._pop()])

    def _add_items(self) -> None:
        values = self._pop_mark()
        target = self._top()
        if not isinstance(target, set):
            raise CheckpointError("damaged: something is added to what is no set")
        target.update(_plain_key(value) for value in values)

    def _dictionary(self) -> None:
        values = self._pop_mark()
        self._push({})
        self._set_items(values)

    # The memo

    def _get(self, index: int) -> None:
        if index not in self.memo:
            raise CheckpointError(f"damaged: memory {index} is read before it was written")
        self._push(self.memo[index])

    def _put(self, index: int) -> None:
        self.memo[index] = self._top()

    # Names

    def _name(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise CheckpointError("damaged: a name that is not text")
        named = Name(module, name)
        if (module, name) not in self.known:
            raise Refused(named)
        self._push(named)

    def _global(self) -> None:
        module, name = self.window.line().decode(), self.window.line().decode()
        self._name(module, name)

    def _stack_global(self) -> None:
        name = self._pop()
        self._name(self._pop(), name)

    def _call(self, callee: object, arguments: object) -> None:
        if not isinstance(callee, Name):
            raise CheckpointError("calls an object instead of a name; refused, and nothing was run")
        if not isinstance(arguments, tuple):
            raise CheckpointError(f"damaged: {callee} is given no arguments")
        make = self.known[callee.module, callee.name]
        if make is None:
            raise CheckpointError(f"calls {callee}, which files of weights only mention; refused")
        self._push(make(arguments))

    def _reduce(self) -> None:
        arguments = self._pop()
        self._call(self._pop(), arguments)

    def _new_object_with_keywords(self) -> None:
        keywords = self._pop()
        arguments = self._pop()
        if keywords != {}:
            raise CheckpointError("builds an object by keywords, which no file of weights does; refused")
        self._call(self._pop(), arguments)

    def _build(self) -> None:
        state = self._pop()
        target = self._top()
        if isinstance(target, Stateful):
            target.receive(state)
        elif not isinstance(target, dict):  # a table's own attributes carry nothing that we need
            what = str(target) if isinstance(target, Name) else type(target).__name__
            raise CheckpointError(f"sets attributes of {what}; refused, and nothing was run")

    def _persistent(self, identifier: object) -> None:
        if self.persistent is None:
            raise CheckpointError("refers to things outside itself, which no pickle of weights does; refused")
        self._push(self.persistent(identifier))


def _plain_key(key: object) -> object:
    if not isinstance(key, _PLAIN_KEYS):
        raise CheckpointError(f"damaged: a table's key is a {type(key).__name__}")
    return key


def _unpack_float(machine: Machine) -> None:
    machine._push(struct.unpack(">d", machine.window.read(8))[0])


def _protocol(machine: Machine) -> None:
    version = machine._unsigned(1)
    if version > 5:
        raise CheckpointError(f"is a pickle of protocol {version}; lavlive knows 0 to 5")


def _frame(machine: Machine) -> None:
    size = machine._unsigned(8)
    if size > machine.window.remaining:
        raise CheckpointError("damaged or cut short: a frame is longer than the file")


def _duplicate(machine: Machine) -> None:
    machine._push(machine._top())


def _drop(machine: Machine) -> None:
    # A mark may be dropped as well as a value.
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine._pop()


def _frozen_set(machine: Machine) -> None:
    machine._push(frozenset(_plain_key(value) for value in machine._pop_mark()))


_OPERATIONS: dict[bytes, Callable[[Machine], object]] = {
    b"\x80": _protocol,
    b"\x95": _frame,
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"0": _drop,
    b"1": lambda m: m._pop_mark(),
    b"2": _duplicate,
    b"N": lambda m: m._push(None),
    b"\x88": lambda m: m._push(True),
    b"\x89": lambda m: m._push(False),
    b"I": Machine._decimal,
    b"L": Machine._decimal,
    b"J": lambda m: m._push(int.from_bytes(m.window.read(4), "little", signed=True)),
    b"K": lambda m: m._push(m._unsigned(1)),
    b"M": lambda m: m._push(m._unsigned(2)),
    b"\x8a": lambda m: m._long(m._unsigned(1)),
    b"\x8b": lambda m: m._long(m._unsigned(4)),
    b"F": Machine._float,
    b"G": _unpack_float,
    b"S": Machine._quoted,
    b"T": lambda m: m._old_text(m._unsigned(4)),
    b"U": lambda m: m._old_text(m._unsigned(1)),
    b"V": Machine._raw_unicode,
    b"\x8c": lambda m: m._text(m._unsigned(1)),
    b"X": lambda m: m._text(m._unsigned(4)),
    b"\x8d": lambda m: m._text(m._unsigned(8)),
    b"C": lambda m: m._bytes(m._unsigned(1)),
    b"B": lambda m: m._bytes(m._unsigned(4)),
    b"\x8e": lambda m: m._bytes(m._unsigned(8)),
    b"\x96": lambda m: m._bytes(m._unsigned(8)),
    b")": lambda m: m._push(()),
    b"t": lambda m: m._push(tuple(m._pop_mark())),
    b"\x85": lambda m: m._tuple(1),
    b"\x86": lambda m: m._tuple(2),
    b"\x87": lambda m: m._tuple(3),
    b"]": lambda m: m._push([]),
    b"l": lambda m: m._push(m._pop_mark()),
    b"a": Machine._append_one,
    b"e": lambda m: m._append(m._pop_mark()),
    b"}": lambda m: m._push({}),
    b"d": Machine._dictionary,
    b"s": Machine._set_item,
    b"u": lambda m: m._set_items(m._pop_mark()),
    b"\x8f": lambda m: m._push(set()),
    b"\x90": Machine._add_items,
    b"\x91": _frozen_set,
    b"g": lambda m: m._get(int(m.window.line())),
    b"h": lambda m: m._get(m._unsigned(1)),
    b"j": lambda m: m._get(m._unsigned(4)),
    b"p": lambda m: m._put(int(m.window.line())),
    b"q": lambda m: m._put(m._unsigned(1)),
    b"r": lambda m: m._put(m._unsigned(4)),
    b"\x94": lambda m: m._put(len(m.memo)),
    b"c": Machine._global,
    b"\x93": Machine._stack_global,
    b"R": Machine._reduce,
    b"\x81": Machine._reduce,
    b"\x92": Machine._new_object_with_keywords,
    b"b": Machine._build,
    b"P": lambda m: m._persistent(m.window.line().decode()),
    b"Q": lambda m: m._persistent(m._pop()),
}
