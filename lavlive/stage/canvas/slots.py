"""The rack's parameters: a slot's own, and the inputs of the shader that is in it.

    fx1.shader        what is in the first slot; none
    fx1.on            let it through, or not
    fx1.mix           how much of it is seen
    fx1.blend         how it is laid over what comes in
    fx1.feedback.zoom the input zoom of the shader feedback, in this slot

The generator's slot, gen, is the same. The name of a shader stands in the names of its inputs, so what was
set, bound or driven stays when another takes its place and is there again when it comes back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from lavlive.parameters import DISSOLVE, LOADED_GROUPS, TRANSITION, Parameter, ParameterKind, joined
from lavlive.resources import config_folder, shipped
from lavlive.stage.canvas.isf.document import ShaderKind
from lavlive.stage.canvas.isf.inputs import InputKind
from lavlive.stage.canvas.isf.library import NONE, ShaderLibrary

GENERATOR = LOADED_GROUPS[0]
EFFECTS = LOADED_GROUPS[1:]
BLENDS = (
    "normal",
    "add",
    "screen",
    "multiply",
    "lighten",
    "darken",
    "difference",
    "overlay",
    "under",
    "mask",
)
"""In the order of rack_mix.frag. ``under``: seen where what lies below is dark; ``mask``: its light is what
lets through what lies below."""
IMAGES = ("input", "picture", "generator")
"""What an image input besides the main one can show: what comes into the slot, StyleGAN2's picture, or the
generator's slot; besides, what another slot draws (``fx2``), and the image files in the user's folders."""

MAIN_IMAGES = ("inputImage", "startImage")
"""Image inputs that show what comes into the slot, without a choice."""


class Slots:
    """What joins the table of parameters, as `parameters.LoadedParameters`."""

    def __init__(self, library: ShaderLibrary) -> None:
        self._library = library
        self._own: dict[str, dict[str, Parameter]] = {}
        self._own_revision = -1
        self._inputs: dict[tuple[str, str], tuple[tuple[int, int], dict[str, Parameter]]] = {}

    def find(self, name: str) -> Parameter | None:
        """The parameter of that name, whether its shader is in the slot or not."""
        if name == TRANSITION:
            return self._transition()
        group, _, rest = name.partition(".")
        if group not in LOADED_GROUPS:
            return None
        own = self._slot(group).get(name)
        return own or self._of(group, rest.partition(".")[0]).get(name)

    def present(self, value_of: Callable[[str], object]) -> list[Parameter]:
        """The slots' own parameters and the inputs of what is in them; of an empty slot only ``shader``."""
        found: list[Parameter] = [self._transition()]
        for group in LOADED_GROUPS:
            own = self._slot(group)
            shader = value_of(f"{group}.shader")
            if shader == NONE or self._library.document(str(shader)) is None:
                found.append(own[f"{group}.shader"])
            else:
                found += [*own.values(), *self._of(group, str(shader)).values()]
        return found

    def _transition(self) -> Parameter:
        return self._slot("show")[TRANSITION]

    def _slot(self, group: str) -> dict[str, Parameter]:
        if self._own_revision != self._library.revision:
            self._own_revision = self._library.revision
            self._own = {group: self._own_of(group) for group in LOADED_GROUPS}
            choices = (DISSOLVE, *self._library.names(ShaderKind.TRANSITION))
            text = "how presets and models follow each other"
            self._own["show"] = {TRANSITION: replace(_choice(TRANSITION, choices, text), saved=False)}
        return self._own[group]

    def _own_of(self, group: str) -> dict[str, Parameter]:
        kinds = (ShaderKind.GENERATOR,) if group == GENERATOR else (ShaderKind.FILTER, ShaderKind.GENERATOR)
        shaders = (NONE, *self._library.names(*kinds))
        what = "generator" if group == GENERATOR else "effect"
        rows = [
            _choice(f"{group}.shader", shaders, f"which {what} is in this slot"),
            Parameter(f"{group}.on", True, 0, 1, "", f"let the {what} through", ParameterKind.SWITCH),
            Parameter(f"{group}.mix", 1.0, 0, 1, "", f"how much of the {what} is seen"),
            _choice(f"{group}.blend", BLENDS, f"how the {what} is laid over what comes in"),
        ]
        return {row.name: row for row in rows}

    def _of(self, group: str, shader: str) -> dict[str, Parameter]:
        document = self._library.document(shader)
        if document is None:
            return {}
        version = self._library.version(shader), self._library.revision
        known = self._inputs.get((group, shader))
        if known is None or known[0] != version:
            prefix = f"{group}.{shader}"
            rows = document.parameters(prefix)
            images = (*IMAGES, *(other for other in EFFECTS if other != group), *sorted(self._library.images))
            rows += [
                _choice(f"{prefix}.{one.name}", images, one.label or one.name)
                for one in document.inputs
                if one.kind is InputKind.IMAGE and one.name not in MAIN_IMAGES
            ]
            known = self._inputs[group, shader] = version, {row.name: row for row in rows}
        return known[1]


def _choice(name: str, choices: tuple[str, ...], text: str) -> Parameter:
    return Parameter(name, choices[0], 0, len(choices) - 1, "", text, ParameterKind.CHOICE, choices)


@contextlib.contextmanager
def open_shaders(folder: str | None = None) -> Iterator[ShaderLibrary]:
    """The shaders that ship with lavlive, the user's, and a folder's.

    Their parameters stand beside the table until the end, which also ends the watching of the folders.
    """
    folders = [shipped("shaders") / "isf", config_folder() / "shaders"]
    if folder is not None:
        folders.append(Path(folder))
    library = ShaderLibrary(folders)
    with joined(Slots(library)), contextlib.closing(library):
        yield library
