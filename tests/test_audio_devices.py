"""Which device a name means, and a machine without any sound system."""

import os
import subprocess
import sys
import threading

import pytest

from lavlive.audio import portaudio
from lavlive.audio.devices import Device, Listing, choose
from lavlive.errors import SourceError

INPUTS = Listing(
    (
        Device("input", "ALSA", "USB Audio: - (hw:1,0)", "USB Audio: - (hw:1,0)", 3, 2, 44_100, False),
        Device("input", "ALSA", "default", "default", 7, 32, 44_100, True),
        Device("input", "PulseAudio", "Built-in Audio", "alsa_input.pci-0000", -1, 2, 48_000, False),
        Device("input", "PulseAudio", "Built-in Audio Pro", "alsa_input.pci-0001", -1, 18, 48_000, False),
    )
)


@pytest.mark.parametrize(
    ("name", "index"),
    [("usb", 3), ("hw:1", 3), (3, 3), ("3", 3), ("default", 7), (None, 7), (" Default ", 7)],
)
def test_a_part_of_the_name_an_index_or_nothing_finds_the_device(name, index):
    assert choose(name, INPUTS, "input").index == index


def test_a_whole_name_wins_over_longer_ones():
    assert choose("built-in audio", INPUTS, "input").id == "alsa_input.pci-0000"
    assert choose("alsa_input.pci-0001", INPUTS, "input").channels == 18


def test_a_name_that_fits_several_lists_every_match():
    with pytest.raises(SourceError) as refusal:
        choose("audio", INPUTS, "input")
    text = str(refusal.value)
    assert all(name in text for name in ("USB Audio", "Built-in Audio”", "Built-in Audio Pro"))
    assert "index 3" in text
    assert "default" not in text


@pytest.mark.parametrize("name", ["theremin", 12, "12", -1])
def test_a_name_that_fits_nothing_lists_what_there_is(name):
    with pytest.raises(SourceError) as refusal:
        choose(name, INPUTS, "input")
    assert all(device.name in str(refusal.value) for device in INPUTS.devices)


def test_without_devices_the_reason_is_told():
    with pytest.raises(SourceError, match="there is no loopback: the server is not there"):
        choose(None, Listing((), "the server is not there"), "loopback")


_LIST = """
from lavlive.audio import devices
for listing in (devices.list_inputs(), devices.list_loopbacks(), devices.list_outputs()):
    print(len(listing.devices), listing.reason)
import sys
print(any(name.split(".")[0] == "torch" for name in sys.modules))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="speaks of Linux's sound servers")
def test_a_machine_without_a_sound_server_lists_what_it_has_and_prints_no_chatter(tmp_path):
    environment = os.environ | {
        "PULSE_SERVER": f"unix:{tmp_path}/nothing",
        "XDG_RUNTIME_DIR": str(tmp_path),
        "HOME": str(tmp_path),
    }
    listed = subprocess.run(
        [sys.executable, "-c", _LIST], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (listed.returncode, listed.stderr) == (0, "")
    inputs, loopbacks, outputs, torch = listed.stdout.splitlines()
    assert "not there" in inputs
    assert loopbacks.startswith("0 the sound server")
    assert int(outputs.split()[0]) >= 0
    assert torch == "False"


def test_two_threads_that_quieten_standard_error_leave_it_where_it_was(capfd):
    entered, leave = (threading.Event(), threading.Event()), (threading.Event(), threading.Event())

    def be_quiet(number: int) -> None:
        with portaudio.quiet_standard_error():
            entered[number].set()
            leave[number].wait(10)

    threads = [threading.Thread(target=be_quiet, args=(number,)) for number in (0, 1)]
    for number in (0, 1):
        threads[number].start()
        assert entered[number].wait(10)
    for number in (0, 1):  # the first that came leaves first
        os.write(2, b"chatter\n")
        leave[number].set()
        threads[number].join(10)
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
