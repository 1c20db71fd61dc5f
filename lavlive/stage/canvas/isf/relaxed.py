"""What older compilers of GLSL let pass, made so that newer ones take it. Lines keep their numbers."""

from __future__ import annotations

import re

_MACRO = re.compile(r"^([ \t]*)#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_TOP_LEVEL = re.compile(r"\s*#(?:\\\n|[^\n])*\n|[^;{}#]*;|[^;{}#]*(\{)")


def without_repeats(code: str) -> str:
    """Without what stands there twice, word for word: files that were joined have the same helpers in each.

    A macro that is defined anew is let go of first. Lines keep their numbers.
    """
    seen: set[str] = set()
    kept: list[str] = []
    at = 0
    while (found := _TOP_LEVEL.match(code, at)) is not None:
        end = found.end()
        depth = 1 if found[1] else 0
        while end < len(code) and depth:
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
        text = code[at:end]
        words = " ".join(text.split())
        repeated = words in seen and "#" not in text
        seen.add(words)
        kept.append("\n" * text.count("\n") if repeated else text)
        at = end
    once = "".join(kept) + code[at:]
    known: set[str] = set()

    def macro(found: re.Match[str]) -> str:
        again = found[2] in known
        known.add(found[2])
        line = once.count("\n", 0, found.start()) + 1
        return f"{found[1]}#undef {found[2]}\n#line {line}\n{found[0]}" if again else found[0]

    return _MACRO.sub(macro, once)


_DEFINED = re.compile(r"\b[biu]?(?:float|int|uint|bool|vec[234])\s+(\w+)\s*\(([^()]*)\)\s*\{")
_SIZES = ("float", "vec2", "vec3", "vec4")
_SHAPES = {
    "x": "abs sign floor ceil fract round sqrt exp log exp2 log2 sin cos tan asin acos atan normalize",
    "xx": "mod min max pow step atan reflect",
    "xs": "mod min max",
    "sx": "step",
    "xxx": "mix clamp smoothstep",
    "xxs": "mix",
    "xss": "clamp",
    "ssx": "smoothstep",
}
"""Functions of GLSL that give what they take: x is a number or a vector, s a number."""


def with_overloads(code: str) -> str:
    """With functions that have the name of one of GLSL's own standing beside it: now they would hide it."""
    own: dict[str, set[tuple[str, ...]]] = {}
    for name, taken in _DEFINED.findall(code):
        if any(name in names.split() for names in _SHAPES.values()):
            own.setdefault(name, set()).add(tuple(_type_of(one) for one in taken.split(",")))
    made = []
    for name, known in own.items():
        code = re.sub(rf"\b{name}(?=\s*\()", f"isf_own_{name}", code)
        for shape, names in _SHAPES.items():
            if name not in names.split():
                continue
            for size in _SIZES:
                types = tuple(size if one == "x" else "float" for one in shape)
                if types in known:
                    continue
                known.add(types)
                taken = ", ".join(f"{one} {letter}" for one, letter in zip(types, "abc", strict=False))
                given = ", ".join("abc"[: len(types)])
                made.append(f"{size} isf_own_{name}({taken}) {{ return {name}({given}); }}")
    return f"{' '.join(made)}\n#line 1\n{code}" if made else code


def _type_of(taken: str) -> str:
    words = [word for word in taken.split() if word not in ("in", "const", "highp", "mediump", "lowp")]
    return words[0] if words else ""
