"""Widths and heights of passes, such as ``floor($WIDTH / 4.0)``: parsed once, computed each frame."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lavlive.errors import ShaderError

_LONGEST = 1000
_DEEPEST = 50
_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|\$?([A-Za-z_]\w*)|([-+*/%^(),]))"
)

_FUNCTIONS: Mapping[str, tuple[int, Callable[..., float]]] = {
    "floor": (1, math.floor),
    "ceil": (1, math.ceil),
    "round": (1, lambda x: math.floor(x + 0.5)),
    "trunc": (1, math.trunc),
    "abs": (1, abs),
    "sqrt": (1, math.sqrt),
    "sin": (1, math.sin),
    "cos": (1, math.cos),
    "tan": (1, math.tan),
    "exp": (1, math.exp),
    "log": (1, math.log),
    "pow": (2, math.pow),
    "mod": (2, math.fmod),
    "min": (-1, min),
    "max": (-1, max),
    "clamp": (3, lambda x, low, high: min(max(x, low), high)),
}
"""Number of arguments, −1 for two and more."""

_BINARY: Mapping[str, tuple[int, Callable[[float, float], float]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "%": (2, math.fmod),
    "^": (3, math.pow),
}


@dataclass(frozen=True)
class Expression:
    """Arithmetic over the numbers of a frame.

    Attributes:
        text: as written.
        names: what it reads, without the dollar.
    """

    text: str
    names: frozenset[str]
    _tree: tuple[object, ...]

    def at(self, numbers: Mapping[str, float]) -> float:
        """The value; NaN where it has none, as after a division by zero."""
        try:
            return float(_compute(self._tree, numbers))
        except (ArithmeticError, ValueError):
            return math.nan


def parse_expression(written: object, known: frozenset[str]) -> Expression:
    """Read an expression, or a plain number.

    Args:
        known: names that it may use.

    Raises:
        ShaderError: it is none, or uses what there is not.
    """
    if isinstance(written, int | float):
        return Expression(f"{written:g}", frozenset(), ("number", float(written)))
    if not isinstance(written, str) or not written.strip():
        raise ShaderError(f"a size is a number or an expression such as $WIDTH/2, not {written!r}.")
    if len(written) > _LONGEST:
        raise ShaderError(f"a size's expression is longer than {_LONGEST} letters.")
    return _Parser(written, known).whole()


class _Parser:
    def __init__(self, text: str, known: frozenset[str]) -> None:
        self._text = text
        self._known = known
        self._tokens: list[tuple[str, str]] = []
        self._names: set[str] = set()
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._fault(f"{text[at:].strip()[:8]!r} is no arithmetic")
            kind = ("number", "name", "sign")[(match.lastindex or 1) - 1]
            self._tokens.append((kind, match[match.lastindex or 1]))
            at = match.end()
        self._at = 0

    def whole(self) -> Expression:
        tree = self._expression(0, 0)
        if self._at != len(self._tokens):
            raise self._fault(f"{self._tokens[self._at][1]!r} is too much")
        return Expression(self._text, frozenset(self._names), tree)

    def _expression(self, least: int, depth: int) -> tuple[object, ...]:
        if depth > _DEEPEST:
            raise self._fault("it is nested too deeply")
        left = self._operand(depth)
        while (sign := self._peek()) in _BINARY and _BINARY[sign][0] > least:
            self._at += 1
            binding = _BINARY[sign][0]
            left = ("binary", sign, left, self._expression(binding - (sign == "^"), depth + 1))
        return left

    def _operand(self, depth: int) -> tuple[object, ...]:
        if self._at >= len(self._tokens):
            raise self._fault("it ends early")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return ("number", float(text))
        if kind == "name":
            return self._function(text, depth) if self._peek() == "(" else self._name(text)
        if text in "+-":
            inner = self._expression(2, depth + 1)
            return inner if text == "+" else ("binary", "-", ("number", 0.0), inner)
        if text == "(":
            inner = self._expression(0, depth + 1)
            self._expect(")")
            return inner
        raise self._fault(f"{text!r} stands where a number should")

    def _name(self, name: str) -> tuple[object, ...]:
        if name not in self._known:
            raise self._fault(f"there is no {name}")
        self._names.add(name)
        return ("name", name)

    def _function(self, name: str, depth: int) -> tuple[object, ...]:
        if name.lower() not in _FUNCTIONS:
            raise self._fault(f"there is no function {name}")
        self._at += 1
        arguments = [self._expression(0, depth + 1)]
        while self._peek() == ",":
            self._at += 1
            arguments.append(self._expression(0, depth + 1))
        self._expect(")")
        count = _FUNCTIONS[name.lower()][0]
        if count != len(arguments) and not (count == -1 and len(arguments) >= 2):
            raise self._fault(f"{name} does not take {len(arguments)} values")
        return ("call", name.lower(), tuple(arguments))

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _expect(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._fault(f"{sign!r} is missing")
        self._at += 1

    def _fault(self, reason: str) -> ShaderError:
        return ShaderError(f"the size {self._text.strip()[:60]!r} cannot be read: {reason}.")


def _compute(tree: tuple[object, ...], numbers: Mapping[str, float]) -> float:
    match tree:
        case ("number", float() as number):
            return number
        case ("name", str() as name):
            return float(numbers.get(name, math.nan))
        case ("binary", str() as sign, tuple() as left, tuple() as right):
            return _BINARY[sign][1](_compute(left, numbers), _compute(right, numbers))
        case ("call", str() as name, tuple() as arguments):
            return float(_FUNCTIONS[name][1](*(_compute(argument, numbers) for argument in arguments)))
    raise AssertionError(tree)
