"""The JSON in an ISF file's first comment, as real files have it rather than as JSON wants it.

Read with a parser of our own, which knows what hosts let pass: comments, commas too many or missing,
single quotes, names without quotes, tabs and line ends inside strings, numbers such as ``.5``, ``1.`` and
``+2``, ``True``. Nothing is evaluated.
"""

from __future__ import annotations

import math
import re

from lavlive.errors import ShaderError

Json = None | bool | float | str | list["Json"] | dict[str, "Json"]
"""What a header holds; every number is a float."""

_DEEPEST = 32
_COMMENT = re.compile(r"/\*")
_SPACE = re.compile(r"(?:[\s,;\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?f?|[+-]?(?:nan|inf(?:inity)?)\b", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z_$][\w$.-]*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u201d": "\u201d"}
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None, "none": None, "yes": True, "no": False}
_KNOWN = {
    "INPUTS",
    "PASSES",
    "ISFVSN",
    "CREDIT",
    "DESCRIPTION",
    "CATEGORIES",
    "IMPORTED",
    "PERSISTENT_BUFFERS",
}


def read_header(text: str) -> tuple[dict[str, Json], str]:
    """The header of an ISF file and the GLSL that is left, whose lines keep their numbers.

    Raises:
        ShaderError: there is no header, or its JSON is broken; the message gives the line.
    """
    broken: ShaderError | None = None
    for comment in _COMMENT.finditer(text):
        brace = text.find("{", comment.end())
        end = text.find("*/", comment.end())
        if brace < 0 or (0 <= end < brace):
            continue
        try:
            header, after = _Reader(text).value(brace, 0)
        except ShaderError as error:
            broken = broken or error
            continue
        if isinstance(header, dict) and (not header or _KNOWN & {key.upper() for key in header}):
            close = text.find("*/", after)
            after = len(text) if close < 0 else close + 2
            return header, text[: comment.start()] + "\n" * text.count("\n", comment.start(), after) + text[
                after:
            ]
    raise broken or ShaderError("line 1: there is no ISF header: a comment with JSON, /*{ … }*/.")


class _Reader:
    """One pass over the text; every method takes a place and gives what stands there and the place after."""

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, at: int, depth: int) -> tuple[Json, int]:
        text = self._text
        at = self._skip(at)
        if depth > _DEEPEST:
            raise self._fault(at, f"the header is nested deeper than {_DEEPEST}")
        sign = text[at : at + 1]
        if sign == "{":
            return self._object(at + 1, depth)
        if sign == "[":
            return self._list(at + 1, depth)
        if sign in _QUOTES:
            return self._string(at)
        if (number := _NUMBER.match(text, at)) is not None:
            return _as_number(number[0]), number.end()
        if (word := _WORD.match(text, at)) is not None and word[0].lower() in _WORDS:
            return _WORDS[word[0].lower()], word.end()
        raise self._fault(at, f"the header's JSON ends early or has something else at {text[at : at + 12]!r}")

    def _object(self, at: int, depth: int) -> tuple[Json, int]:
        found: dict[str, Json] = {}
        while True:
            at = self._skip(at)
            sign = self._text[at : at + 1]
            if sign == "}":
                return found, at + 1
            if sign in _QUOTES:
                name, at = self._string(at)
            elif (word := _WORD.match(self._text, at)) is not None:
                name, at = word[0], word.end()
            else:
                raise self._fault(at, f"a name was expected in the header, not {self._text[at : at + 12]!r}")
            at = self._skip(at)
            if self._text[at : at + 1] != ":":
                raise self._fault(at, f"a colon is missing in the header after {name!r}")
            found[str(name)], at = self.value(at + 1, depth + 1)

    def _list(self, at: int, depth: int) -> tuple[Json, int]:
        found: list[Json] = []
        while True:
            at = self._skip(at)
            if self._text[at : at + 1] == "]":
                return found, at + 1
            item, at = self.value(at, depth + 1)
            found.append(item)

    def _string(self, at: int) -> tuple[str, int]:
        text, close = self._text, _QUOTES[self._text[at]]
        letters: list[str] = []
        begin = at
        at += 1
        while at < len(text):
            letter = text[at]
            if letter == close or (letter == '"' and close == "\u201d"):
                return "".join(letters), at + 1
            if letter == "\\" and at + 1 < len(text):
                following = text[at + 1]
                code = text[at + 2 : at + 6]
                if following == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", code):
                    letters.append(chr(int(code, 16)))
                    at += 6
                    continue
                letters.append(_ESCAPES.get(following, following))
                at += 2
                continue
            letters.append(letter)
            at += 1
        raise self._fault(begin, "a text in the header does not end")

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _fault(self, at: int, reason: str) -> ShaderError:
        return ShaderError(f"line {self._text.count(chr(10), 0, at) + 1}: {reason}.")


def _as_number(text: str) -> float:
    number = float(text.rstrip("fF") if text[-1] in "fF" and "inf" not in text.lower() else text)
    return number if math.isfinite(number) or "n" in text.lower() else math.copysign(math.inf, number)
