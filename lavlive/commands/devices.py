"""The command ``lavlive devices``: everything that a show can be plugged into."""

from __future__ import annotations

from lavlive.audio.devices import Listing, list_inputs, list_loopbacks, list_outputs
from lavlive.commands.results import DeviceList, Devices
from lavlive.control.midi.system import list_devices
from lavlive.errors import DisplayError


def list_everything() -> Devices:
    """Look for audio inputs, loopbacks, outputs, MIDI devices, monitors and compute devices."""
    return Devices(
        _audio("Audio inputs (--input NAME)", list_inputs()),
        _audio("Loopbacks, what an output plays (--loopback NAME)", list_loopbacks()),
        _audio("Audio outputs", list_outputs()),
        DeviceList("MIDI devices (--midi NAME)", tuple(list_devices()), "no MIDI device is plugged in"),
        DeviceList("Monitors (--monitor N)", *_monitors()),
        DeviceList("Compute devices (--runner NAME)", _compute()),
    )


def _audio(title: str, listing: Listing) -> DeviceList:
    found = tuple(str(device) for device in listing.devices)
    return DeviceList(title, found, listing.reason or "this machine has none")


def _monitors() -> tuple[tuple[str, ...], str]:
    from lavlive.stage.output.monitors import list_monitors
    from lavlive.stage.output.opengl_windows import display_available, start_glfw

    if not display_available():
        return (), "no display here"
    try:
        start_glfw()
    except DisplayError as error:
        return (), str(error)
    return tuple(str(monitor) for monitor in list_monitors()), "no monitor is connected"


def _compute() -> tuple[str, ...]:
    from lavlive.generator.runner import available_runners

    return tuple(f"{name}: {lacking or 'available'}" for name, lacking in available_runners().items())
