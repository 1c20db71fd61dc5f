"""The command ``lavlive devices``: everything that a show can be plugged into."""

from __future__ import annotations

from lavlive.audio.devices import Listing, list_inputs, list_loopbacks, list_outputs
from lavlive.control.midi.system import list_devices
from lavlive.errors import DisplayError


def run_devices() -> int:
    """Print audio inputs, loopbacks, outputs, MIDI devices, monitors and compute devices."""
    _print_section("Audio inputs (--input NAME)", *_audio(list_inputs()))
    _print_section("Loopbacks, what an output plays (--loopback NAME)", *_audio(list_loopbacks()))
    _print_section("Audio outputs", *_audio(list_outputs()))
    _print_section("MIDI devices (--midi NAME)", list_devices(), "no MIDI device is plugged in")
    _print_section("Monitors (--monitor N)", *_monitors())
    _print_section("Compute devices (--runner NAME)", _compute(), "")
    return 0


def _print_section(title: str, lines: list[str], otherwise: str) -> None:
    print(title)
    for line in lines or [f"none: {otherwise}"]:
        print(f"  {line}")


def _audio(listing: Listing) -> tuple[list[str], str]:
    return [str(device) for device in listing.devices], listing.reason or "this machine has none"


def _monitors() -> tuple[list[str], str]:
    from lavlive.stage.output.monitors import list_monitors
    from lavlive.stage.output.window import display_available, start_glfw

    if not display_available():
        return [], "no display here"
    try:
        start_glfw()
    except DisplayError as error:
        return [], str(error)
    return [str(monitor) for monitor in list_monitors()], "no monitor is connected"


def _compute() -> list[str]:
    from lavlive.generator.runner import available_runners

    return [f"{name}: {lacking or 'available'}" for name, lacking in available_runners().items()]
