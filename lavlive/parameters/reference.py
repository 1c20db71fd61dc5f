"""The table as a page of the documents."""

from __future__ import annotations

from collections.abc import Iterable

from lavlive.parameters.parameter import Parameter, ParameterKind
from lavlive.parameters.table import TABLE


def _shown(choices: tuple[str, ...]) -> str:
    """A choice's values; of very many, those with a name and the first and last of the others."""
    words = [choice for choice in choices if not choice[0].isdigit() or len(choices) <= 12]
    numbers = [choice for choice in choices if choice not in words]
    return ", ".join([*words, *([numbers[0], "…", numbers[-1]] if numbers else [])])


def reference(parameters: Iterable[Parameter] = TABLE) -> str:
    """The table as Markdown, as the README shows it."""
    lines = ["| name | default | range | unit | what it does |", "|---|---|---|---|---|"]
    for p in parameters:
        bounds = _shown(p.choices) or (
            "off, on" if p.kind is ParameterKind.SWITCH else f"{p.low:.3g} – {p.high:g}"
        )
        default = ("on" if p.default else "off") if p.kind is ParameterKind.SWITCH else p.default
        lines.append(f"| {p.name} | {default} | {bounds} | {p.unit} | {p.help} |")
    return "\n".join(lines)
