"""Names of keys: what the keyboard's own layout writes on them, their place where that is no Latin letter."""

from __future__ import annotations

import glfw

_NAMED = {
    glfw.KEY_SPACE: "space",
    glfw.KEY_TAB: "tab",
    glfw.KEY_ENTER: "enter",
    glfw.KEY_KP_ENTER: "enter",
    glfw.KEY_ESCAPE: "escape",
    glfw.KEY_BACKSPACE: "backspace",
    glfw.KEY_DELETE: "delete",
    glfw.KEY_INSERT: "insert",
    glfw.KEY_LEFT: "left",
    glfw.KEY_RIGHT: "right",
    glfw.KEY_UP: "up",
    glfw.KEY_DOWN: "down",
    glfw.KEY_HOME: "home",
    glfw.KEY_END: "end",
    glfw.KEY_PAGE_UP: "page_up",
    glfw.KEY_PAGE_DOWN: "page_down",
    **{glfw.KEY_F1 + n: f"f{n + 1}" for n in range(24)},
    **{glfw.KEY_0 + n: str(n) for n in range(10)},
    **{glfw.KEY_KP_0 + n: str(n) for n in range(10)},
}
"""Digits are named by their place, as on layouts that write them with Shift."""

_MODIFIERS = (
    (glfw.MOD_SHIFT, "shift"),
    (glfw.MOD_CONTROL, "ctrl"),
    (glfw.MOD_ALT, "alt"),
    (glfw.MOD_SUPER, "super"),
)


def key_name(key: int, scancode: int) -> str | None:
    """Lower-case name of a key, None for modifiers and keys without a name."""
    if key in _NAMED:
        return _NAMED[key]
    written = _written(key, scancode)
    if glfw.KEY_A <= key <= glfw.KEY_Z and not _is_latin(written) and not _latin_keyboard():
        return chr(key).lower()
    return written or None


def _written(key: int, scancode: int = 0) -> str:
    """What the present layout writes on a key, "" for nothing."""
    name = glfw.get_key_name(key, scancode)
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")


def _is_latin(written: str) -> bool:
    return written.isascii() and written.isalpha()


def _latin_keyboard() -> bool:
    """Whether the present layout writes Latin letters; Hebrew and Greek ones have signs among theirs."""
    letters = range(glfw.KEY_A, glfw.KEY_Z + 1)
    return sum(_is_latin(_written(key)) for key in letters) > len(letters) / 2


def modifier_names(modifiers: int) -> frozenset[str]:
    """The modifiers that are held down."""
    return frozenset(name for bit, name in _MODIFIERS if modifiers & bit)
