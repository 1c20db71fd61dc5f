"""Keys to actions. Keys are named as the window names them: ``f``, ``tab``, ``space``, ``1``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lavlive.control.actions import Action

KEYS: Mapping[tuple[str, str], Action] = {
    ("", "f"): Action("fullscreen"),
    ("", "tab"): Action("panel"),
    ("", "b"): Action("show.blackout"),
    ("", "space"): Action("show.freeze"),
    ("", "r"): Action("projection.reroll"),
    ("", "h"): Action("projection.hold"),
    ("", "n"): Action("model.next"),
    ("", "p"): Action("model.previous"),
    ("", "s"): Action("source.next"),
    ("", "t"): Action("tap"),
    ("", "u"): Action("undo"),
    ("shift", "u"): Action("redo"),
    ("", "l"): Action("learn"),
    ("", "right"): Action("preset.next"),
    ("", "left"): Action("preset.previous"),
    **{("", str(digit)): Action("preset.recall", str(digit)) for digit in range(10)},
    **{("shift", str(digit)): Action("snapshot.recall", str(digit)) for digit in range(1, 9)},
    **{("ctrl", str(digit)): Action("snapshot.store", str(digit)) for digit in range(1, 9)},
    ("ctrl", "q"): Action("quit"),
}
"""Modifier (one of ``shift``, ``ctrl`` or none) and key, to what they do."""


def action_for(key: str, modifiers: Collection[str] = ()) -> Action | None:
    """What a key does, None for one that does nothing."""
    held = [name for name in ("shift", "ctrl", "alt", "super") if name in modifiers]
    if len(held) > 1:
        return None
    return KEYS.get((held[0] if held else "", key.lower()))
