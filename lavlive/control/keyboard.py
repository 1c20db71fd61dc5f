"""Keys to actions. Keys are named as the window names them: ``f``, ``tab``, ``space``, ``1``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lavlive.control.actions import ACTIONS, Action

LOCKED = "The keys are locked: Ctrl+L unlocks them"

KEYS: Mapping[tuple[str, str], Action] = {
    ("", "f"): Action("fullscreen"),
    ("", "tab"): Action("panel"),
    ("", "b"): Action("show.blackout"),
    ("", "space"): Action("show.freeze"),
    ("", "r"): Action("projection.reroll"),
    ("", "w"): Action("projection.hold"),
    ("", "n"): Action("model.next"),
    ("", "p"): Action("model.previous"),
    ("", "s"): Action("source.next"),
    ("", "k"): Action("keyframe.keep"),
    ("shift", "k"): Action("keyframe.drop"),
    ("", "t"): Action("tap"),
    ("", "u"): Action("undo"),
    ("shift", "u"): Action("redo"),
    ("", "l"): Action("learn"),
    ("", "right"): Action("preset.next"),
    ("", "left"): Action("preset.previous"),
    **{("", str(digit)): Action("preset.recall", str(digit)) for digit in range(10)},
    **{("shift", str(digit)): Action("snapshot.recall", str(digit)) for digit in range(1, 9)},
    **{("ctrl", str(digit)): Action("snapshot.store", str(digit)) for digit in range(1, 9)},
    ("", "m"): Action("mapping.edit"),
    ("ctrl", "r"): Action("record"),
    ("ctrl", "s"): Action("output.stream"),
    ("ctrl", "n"): Action("output.ndi"),
    ("ctrl", "l"): Action("lock"),
    ("", "h"): Action("help"),
    ("", "f1"): Action("help"),
    ("ctrl", "q"): Action("quit"),
}
"""Modifier (one of ``shift``, ``ctrl`` or none) and key, to what they do."""


def action_for(key: str, modifiers: Collection[str] = ()) -> Action | None:
    """What a key does, None for one that does nothing."""
    held = [name for name in ("shift", "ctrl", "alt", "super") if name in modifiers]
    if len(held) > 1:
        return None
    return KEYS.get((held[0] if held else "", key.lower()))


def key_table() -> list[tuple[str, str]]:
    """What every key does, as a performer reads it: ``Ctrl+R`` and ``begin or end a recording``."""
    keys: dict[str, str] = {}
    numbered: dict[str, list[str]] = {}
    for (modifier, key), action in KEYS.items():
        name = "+".join(word.capitalize() for word in (modifier, key) if word)
        if action.argument:
            numbered.setdefault(action.name, []).append(name)
        else:
            keys[action.name] = f"{keys[action.name]}, {name}" if action.name in keys else name
    rows = [(names, ACTIONS[action].help) for action, names in keys.items()]
    rows += [(f"{names[0]} … {names[-1]}", ACTIONS[action].help) for action, names in numbered.items()]
    return rows


def key_lines() -> list[str]:
    """The table as lines of text."""
    return ["Keys:", *(f"  {keys:<12} {text}" for keys, text in key_table())]
