"""The lookup of outputs by name."""

from __future__ import annotations

from lavlive.errors import DisplayError
from lavlive.stage.output.base import Output, OutputSettings

OUTPUTS = ("window", "headless")


def open_output(name: str, settings: OutputSettings | None = None) -> Output:
    """Open the output of that name, ``window`` or ``headless``.

    Raises:
        DisplayError: no such output, no display, no such monitor, or no OpenGL 3.3.
    """
    settings = settings or OutputSettings()
    match name:
        case "window":
            from lavlive.stage.output.window import WindowOutput

            return WindowOutput(settings)
        case "headless":
            from lavlive.stage.output.headless import HeadlessOutput

            return HeadlessOutput(settings)
        case _:
            raise DisplayError(f"There is no output {name!r}; use one of {', '.join(OUTPUTS)}.")
