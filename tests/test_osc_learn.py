"""Any address of a touch surface's own layout is learned, kept, and told where its control stands."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.osc.bindings import OscBinding, OscBindings, read_osc_bindings
from lavlive.control.osc.learn import OscLearn
from lavlive.control.osc.packets import Argument
from lavlive.control.osc.server import OscSettings
from lavlive.errors import ControlError
from lavlive.parameters import Values
from tests.support.waiting import wait_until
from tests.test_osc import heard, inbox_socket, message

SURFACE = ("127.0.0.1", 8000)


def learned(
    target: str | Action, *messages: tuple[str, tuple[Argument, ...]], ignored: tuple[str, ...] = ()
) -> OscBinding | None:
    learn = OscLearn(target, ignored)
    for address, arguments in messages:
        learn.take(address, arguments, 0.0)
    assert learn.result(0.2) is None
    return learn.result(0.4)


def swept(address: str, *tops: float) -> list[tuple[str, tuple[Argument, ...]]]:
    return [(address, tuple(top * share for top in tops)) for share in (0.2, 0.5, 0.9)]


def test_faders_pads_rotaries_and_buttons_of_a_stock_layout_are_told_apart() -> None:
    fader = learned("mapper.y", ("/1/fader3/z", (1.0,)), *swept("/1/fader3", 1.0))
    assert fader == OscBinding("/1/fader3", "mapper.y")
    assert learned("mapper.y", *swept("/3/xy", 0.1, 1.0)) == OscBinding("/3/xy", "mapper.y", 2)
    assert learned("mapper.y", *swept("/fader", 127)) == OscBinding("/fader", "mapper.y", top=127.0)
    assert learned("mapper.y", *swept("/joy", -1)) == OscBinding("/joy", "mapper.y", bottom=-1.0)
    press = (("/2/push1/z", (1.0,)), ("/2/push1", (1.0,)), ("/2/push1", (0.0,)))
    assert learned(Action("preset.next"), *press) == OscBinding("/2/push1", Action("preset.next"))
    assert learned("show.freeze", ("/2/toggle1", (1.0,))) == OscBinding("/2/toggle1", "show.freeze")
    assert learned(Action("tap"), ("/bang", ())) == OscBinding("/bang", Action("tap"))


def test_what_is_no_hand_is_not_learned() -> None:
    assert learned("mapper.y", ("/ping", ()), ("/1", ()), ("/text", ("hello",))) is None
    assert learned("mapper.y", ("/2/push1", (1.0,)), ("/2/push1", (0.0,))) is None
    assert learned(Action("tap"), ("/2/push1", (0.0,))) is None
    noise = [("/accxyz", (0.1 * index, 1.0, 9.0)) for index in range(50)]
    fader = learned("mapper.y", *noise, *swept("/1/fader1", 0.5), ignored=("/accxyz",))
    assert fader == OscBinding("/1/fader1", "mapper.y")


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with desk(tmp_path) as control:
        yield control


def desk(folder: Path) -> Control:
    return Control(
        Values({"mapper.y": 1.0}),
        BindingFolders(folder, folder),
        osc=OscSettings(port=0),
        osc_bindings=OscBindings(folder / "osc.toml"),
    )


def send(control: Control, address: str, *arguments: object) -> list[Action]:
    assert control.osc is not None
    control.osc.take(message(address, *arguments), SURFACE, time.perf_counter())
    return control.step(time.perf_counter())


def learn(control: Control, target: str | Action, address: str, *values: float) -> None:
    control.learn(target)
    for value in values:
        send(control, address, value)
    control.step(time.perf_counter() + 1.0)
    assert control.learning is None


def test_a_learned_address_moves_its_parameter_now_and_in_the_next_show(
    control: Control, tmp_path: Path
) -> None:
    learn(control, "mapper.y", "/1/fader1", 0.1, 0.2, 0.3)
    learn(control, Action("projection.reroll"), "/1/push1", 1.0)
    assert control.values["mapper.y"] == 1.0
    assert control.bound_to("mapper.y") == [("OSC", "/1/fader1")]
    send(control, "/1/fader1", 0.75)
    assert control.values["mapper.y"] == 3.0
    seed = control.values["projection.seed"]
    send(control, "/1/push1", 0.0)
    assert control.values["projection.seed"] == seed
    send(control, "/1/push1", 1.0)
    assert control.values["projection.seed"] != seed
    assert control.osc.counters.bad == 0
    with desk(tmp_path) as following:
        send(following, "/1/fader1", 0.5)
        assert following.values["mapper.y"] == 2.0
        following.unbind("mapper.y")
        send(following, "/1/fader1", 0.25)
        assert following.values["mapper.y"] == 2.0
        assert following.osc.counters.unknown == 1
    assert "fader1" not in (tmp_path / "osc.toml").read_text()


def test_what_a_learned_address_sends_out_of_range_is_held_and_what_is_no_number_refused(
    control: Control,
) -> None:
    learn(control, "mapper.y", "/1/fader1", 0.1, 0.2, 0.3)
    send(control, "/1/fader1", 7.0)
    assert control.values["mapper.y"] == 4.0
    assert control.osc.counters.held == 1
    for wrong in ("high", float("nan"), float("inf"), None):
        send(control, "/1/fader1", wrong)
    assert control.values["mapper.y"] == 4.0
    assert control.osc.counters.refused == 4


def test_a_surface_is_told_at_its_own_addresses_where_its_controls_stand(tmp_path: Path) -> None:
    bindings = OscBindings()
    for binding in (
        OscBinding("/1/fader1", "mapper.y", invert=True),
        OscBinding("/xy", "mapper.c", 1, top=127.0),
        OscBinding("/xy", "show.fader", 2),
    ):
        bindings.bind(binding)
    with inbox_socket() as surface:
        settings = OscSettings(port=0, send=(surface.getsockname(),))
        folders = BindingFolders(tmp_path, tmp_path)
        with Control(Values(), folders, osc=settings, osc_bindings=bindings) as control:
            control.step(0.0)
            heard(surface)
            control.edit("mapper.y", 1.0, 0.0)
            control.edit("mapper.y", 3.0, 0.0)
            control.edit("mapper.c", 1.0, 0.0)
            control.step(1.0)
            told = {item.address: item.arguments for item in heard(surface)}
    assert told["/1/fader1"] == (0.25,)
    assert told["/xy"] == (127.0, 0.0)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "schema"),
        ("schema = 2", 1, "schema"),
        ("schema = 1\nfoo = 1", 2, "foo"),
        ("schema = 1\n[[binding]]\nparameter = 'mapper.y'", 2, "fader1"),
        ("schema = 1\n[[binding]]\naddress = '/lavlive/x'\nparameter = 'mapper.y'", 3, "own"),
        ("schema = 1\n[[binding]]\naddress = '/x'\nparameter = 'maper.y'", 4, "mapper.y"),
        ("schema = 1\n[[binding]]\naddress = '/x'\nparameter = 'show.flash_limit'", 4, "panel only"),
        ("schema = 1\n[[binding]]\naddress = '/x'\naction = 'quit'", 4, "keyboard"),
        ("schema = 1\n[[binding]]\naddress = '/x'\naction = 'tap'\ntop = 0", 5, "below"),
        ("schema = 1\n[[binding]]\naddress = '/x'\naction = 'tap'\ntop = nan", 5, "number"),
        ("schema = 1\n[[binding]]\naddress = '/x'\naction = 'tap'\nargument = 0", 5, "1 to 32"),
        ("schema = 1\n[[binding]]\naddress = '/x'\naction = 'tap'\nspeed = 2", 5, "speed"),
    ],
)
def test_a_broken_file_is_refused_with_its_line_and_kept(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = tmp_path / "osc.toml"
    path.write_text(text)
    with pytest.raises(ControlError, match=f"line {line}: .*{reason}"):
        read_osc_bindings(path)
    with desk(tmp_path) as control:
        assert f"line {line}" in control.notices()[0]
        learn(control, "mapper.y", "/1/fader1", 0.1, 0.2, 0.3)
    assert path.with_suffix(".toml.refused").read_text() == text
    assert read_osc_bindings(path)[0] == (OscBinding("/1/fader1", "mapper.y"),)


def test_a_real_client_is_heard_learned_and_refused_as_the_page_says(control: Control) -> None:
    if shutil.which("oscsend") is None:
        pytest.skip("oscsend (liblo-tools) is not installed")
    assert control.osc is not None
    port = str(control.osc.address[1])

    def oscsend(*words: str) -> None:
        subprocess.run(["oscsend", "127.0.0.1", port, *words], check=True, timeout=60)

    def until(condition: Callable[[], bool]) -> None:
        wait_until(lambda: control.step(time.perf_counter()) is not None and condition())

    oscsend("/lavlive/mapper/y", "f", "2.5")
    until(lambda: control.values["mapper.y"] == 2.5)
    oscsend("/lavlive/mapper/y", "s", "1.5")
    oscsend("/lavlive/mapper/y", "N")
    oscsend("/lavlive/mapper/y", "m", "903c7f00")
    until(lambda: control.osc.counters.refused == 3)
    oscsend("/lavlive/mapper/y", "d", "99")
    until(lambda: control.values["mapper.y"] == 4.0)
    assert control.osc.counters.held == 1
    oscsend("/lavlive/show/freeze", "T")
    until(lambda: control.values["show.freeze"] is True)
    seed = control.values["projection.seed"]
    oscsend("/lavlive/projection/reroll", "I")  # an impulse
    until(lambda: control.values["projection.seed"] != seed)
    control.learn("mapper.c")
    for value in ("0.2", "0.4", "0.6"):
        oscsend("/1/fader1", "f", value)
    until(lambda: control.learning is None)
    oscsend("/1/fader1", "f", "0.9")
    until(lambda: abs(float(control.values["mapper.c"]) - 0.9) < 1e-6)
