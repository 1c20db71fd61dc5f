"""lavlive: sound-driven StyleGAN2 pictures, live.

As a library it has a function for each command of the program, with the same options:

    import lavlive

    done = lavlive.render("song.wav", "song.mp4", preset="Slow tide", size=(640, 360))

`import lavlive` is quick and changes nothing: torch and the rest come with the first call.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lavlive.commands.library import (
        bench,
        convert_model,
        devices,
        fetch_encoder,
        live,
        model_directions,
        model_info,
        model_mix,
        model_project,
        render,
        study,
    )
    from lavlive.commands.options import (
        BenchOptions,
        LiveOptions,
        ModelConvertOptions,
        ModelDirectionsOptions,
        ModelFetchOptions,
        ModelInfoOptions,
        ModelMixOptions,
        ModelProjectOptions,
        RenderOptions,
        StudyOptions,
    )
    from lavlive.commands.results import DeviceList, Devices, Rendered
    from lavlive.errors import LavliveError

__version__ = "0.1.0"

_HOMES = {
    "lavlive.commands.library": (
        *("bench", "convert_model", "devices", "fetch_encoder", "live", "model_directions"),
        *("model_info", "model_mix", "model_project", "render", "study"),
    ),
    "lavlive.commands.options": (
        *("BenchOptions", "LiveOptions", "ModelConvertOptions", "ModelDirectionsOptions"),
        *(
            "ModelFetchOptions",
            "ModelInfoOptions",
            "ModelMixOptions",
            "ModelProjectOptions",
            "RenderOptions",
            "StudyOptions",
        ),
    ),
    "lavlive.commands.results": ("DeviceList", "Devices", "Rendered"),
    "lavlive.errors": ("LavliveError",),
}
"""The module that each name comes from."""

__all__ = [
    "BenchOptions",
    "DeviceList",
    "Devices",
    "LavliveError",
    "LiveOptions",
    "ModelConvertOptions",
    "ModelDirectionsOptions",
    "ModelFetchOptions",
    "ModelInfoOptions",
    "ModelMixOptions",
    "ModelProjectOptions",
    "RenderOptions",
    "Rendered",
    "StudyOptions",
    "__version__",
    "bench",
    "convert_model",
    "devices",
    "fetch_encoder",
    "live",
    "model_directions",
    "model_info",
    "model_mix",
    "model_project",
    "render",
    "study",
]


def __getattr__(name: str) -> object:
    """Import what a name stands for when it is first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            found: object = getattr(importlib.import_module(module), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'lavlive' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
