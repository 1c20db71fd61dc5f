"""What the operator sees and turns: every parameter, what the machine hears, and how it fares.

Left the parameters with their bindings; right the sound, the motion, presets and what happened. Drawn
anew for every frame from the show itself, so there is nothing here that could disagree with it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.errors import ControlError, PresetError
from lavlive.link.memory import Link, Picture
from lavlive.parameters import GROUPS, TABLE, Kind, Parameter
from lavlive.resources import cache_folder
from lavlive.show.notices import Notices
from lavlive.stage.panel.beat import draw_beat_button
from lavlive.stage.panel.signs import draw_signs
from lavlive.stage.panel.thumbnails import SIZE, Thumbnails

_DIM = ImVec4(0.50, 0.52, 0.55, 1.0)
_GOOD = ImVec4(0.45, 0.80, 0.55, 1.0)
_WARN = ImVec4(0.98, 0.72, 0.30, 1.0)
_BAD = ImVec4(0.98, 0.42, 0.38, 1.0)
_GHOST = (0.98, 0.72, 0.30, 1.0)
_NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Subject(Protocol):
    """What a panel shows: a running show."""

    link: Link
    control: Control
    notices: Notices

    def status(self) -> str:
        """Pictures per second, latency and xruns in one line."""

    def stages(self) -> list[tuple[str, float]]:
        """Seconds that each stage takes, in the order of the path."""

    def flash_held_back(self) -> float:
        """How much of the last change the flash limiter held back, 0 to 1."""

    @property
    def newest_picture(self) -> Picture | None:
        """The picture that is shown, None before the first."""


class Panel:
    """Draws the panel of one show; `draw` is called inside a Dear ImGui window.

    Attributes:
        pointed: the parameter or button last under the mouse or the keyboard's mark: what the key L learns.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._new_name = ""
        self._problem = ""
        self._thumbnails = Thumbnails(cache_folder() / "thumbnails")
        self._limited = (0.0, float("-inf"))
        self.pointed: str | Action | None = None
        self.now = 0.0

    def draw(self, width: float, height: float, now: float) -> None:
        """Everything, once, in a window of that size in pixels; `now` in seconds of the clock."""
        self.now = now
        looks, picture = self._subject.control.looks, self._subject.newest_picture
        self._thumbnails.watch(looks.preset, looks.morphing, picture.pixels if picture else None, now)
        self._draw_header()
        imgui.separator()
        left = max(540.0, width * 0.52)
        imgui.begin_child("parameters", ImVec2(left, 0), imgui.ChildFlags_.nav_flattened.value)
        self._draw_parameters()
        imgui.end_child()
        imgui.same_line()
        imgui.begin_child("state", ImVec2(0, 0), imgui.ChildFlags_.nav_flattened.value)
        self._draw_sound()
        self._draw_motion()
        draw_signs(self._subject.link.read_signs(), self._subject.control.values.numbers)
        self._draw_presets()
        self._draw_activity()
        imgui.end_child()

    def _draw_header(self) -> None:
        imgui.text(self._subject.status())
        number = self._subject.link.number
        dropped = number("audio.dropped")
        lamps = [
            ("SILENT", number("audio.silent") > 0, _DIM),
            ("CLIP", number("audio.peak") >= 0.999, _BAD),
            ("DC", abs(number("audio.offset")) > 0.05, _WARN),
            (f"NaN {number('audio.invalid'):.0f}", number("audio.invalid") > 0, _BAD),
            (f"XRUN {number('audio.xruns'):.0f}", number("audio.xruns") > 0, _WARN),
            (f"DROPPED {dropped:.0f}", dropped > 0, _WARN),
            ("LIMITED", self._just_limited(), _WARN),
            ("FLASH HELD", self._subject.flash_held_back() > 0.01, _WARN),
        ]
        for text, lit, colour in lamps:
            imgui.same_line()
            imgui.text_colored(colour if lit else ImVec4(0.20, 0.21, 0.23, 1.0), text)
        badge = self._subject.notices.badge(self.now)
        imgui.text_colored(_WARN if badge else _DIM, badge or "all well")

    def _just_limited(self) -> bool:
        """Whether w+ was held at its limit within the last two seconds."""
        count = self._subject.link.number("picture.limited")
        if count != self._limited[0]:
            self._limited = count, self.now
        return self.now - self._limited[1] < 2.0

    def close(self) -> None:
        """Let go of what the panel keeps in OpenGL."""
        self._thumbnails.close()

    # Parameters

    def _draw_parameters(self) -> None:
        ghosts = self._subject.control.ghosts()
        group = ""
        for parameter in TABLE:
            head = parameter.name.split(".")[0]
            if head != group:
                group = head
                imgui.text_colored(_DIM, head)
            self._draw_parameter(parameter, ghosts.get(parameter.name))

    def _draw_parameter(self, parameter: Parameter, ghost: float | None) -> None:
        control = self._subject.control
        imgui.push_id(parameter.name)
        imgui.set_next_item_width(230)
        changed, value = _widget(parameter, control.values[parameter.name])
        if ghost is not None:
            _draw_ghost(ghost)
        if imgui.is_item_hovered() or imgui.is_item_focused():
            self.pointed = parameter.name
        if imgui.is_item_hovered():
            imgui.set_tooltip(f"{parameter.name}: {parameter.help}")
        if changed and parameter.guarded and not value:
            imgui.open_popup("sure?")
        elif changed:
            control.edit(parameter.name, _held(parameter, value), self.now)
        self._ask_twice(parameter)
        imgui.same_line()
        imgui.text(parameter.name.partition(".")[2])
        if not parameter.guarded:
            imgui.same_line(400)
            draw_beat_button(parameter, control.looks)
            imgui.same_line(480)
            self._draw_binding(parameter.name)
        imgui.pop_id()

    def _ask_twice(self, parameter: Parameter) -> None:
        if not imgui.begin_popup("sure?"):
            return
        imgui.text("Flashes can cause seizures. Show them unheld?")
        if imgui.button("show flashes"):
            self._subject.control.edit(parameter.name, False, self.now)
            imgui.close_current_popup()
        imgui.same_line()
        if imgui.button("keep holding them back"):
            imgui.close_current_popup()
        imgui.end_popup()

    def _draw_binding(self, name: str) -> None:
        control = self._subject.control
        if control.learning == name:
            if imgui.small_button("move a control…"):
                control.cancel_learn()
            return
        bound = control.bound_to(name)
        label = bound[0][1] if bound else "learn"
        if imgui.small_button(label):
            control.learn(name)
        if imgui.is_item_hovered() and bound:
            imgui.set_tooltip(f"{bound[0][0]}; right click takes it off")
        if bound and imgui.is_item_clicked(imgui.MouseButton_.right):
            control.unbind(name)

    # Sound and motion

    def _draw_sound(self) -> None:
        meter, number = self._subject.link.meter, self._subject.link.number
        _bar(
            "level",
            _decibels(number("audio.level")),
            f"{20 * np.log10(max(number('audio.level'), 1e-6)):.0f} dB",
        )
        imgui.same_line()
        _bar("onset", number("audio.onset"), "onset")
        _lines("waveform", meter("audio.waveform"), -1.0, 1.0, 60)
        _histogram("spectrum", np.clip((meter("audio.spectrum") + 80) / 80, 0, 1), 1.0, 60)
        chroma = meter("audio.chroma")
        _histogram("chroma", chroma, max(0.25, float(chroma.max())), 46)
        if imgui.is_item_hovered():
            imgui.set_tooltip("  ".join(_NOTES))

    def _draw_motion(self) -> None:
        meter = self._subject.link.meter
        motion, spread, delay = meter("latent.motion"), meter("latent.deviation"), meter("time.smooth")
        for group, name in enumerate(GROUPS):
            speed = f"{name}  {motion[group]:.1f} W_std/s"
            text = f"{speed}  spread {spread[group]:.2f}  {delay[group] * 1000:.0f} ms"
            _bar(name, min(motion[group] / 8.0, 1.0), text, width=-1)
        histogram = meter("latent.histogram")
        _histogram("w", histogram, max(0.1, float(histogram.max())), 50)
        _draw_normal(float(max(0.1, histogram.max())))
        if imgui.is_item_hovered():
            imgui.set_tooltip(
                "deviation from W_mean, −4 to 4 W_std, of the last second; the line is the model's"
            )
        stages = "   ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in self._subject.stages())
        imgui.text_colored(_DIM, f"ms: {stages}")

    # Presets and the rest

    def _draw_presets(self) -> None:
        control, looks = self._subject.control, self._subject.control.looks
        beat = control.beat(self.now)
        waiting = ", ".join(str(action) for action in control.waiting)
        tempo = f"{beat.bpm:.1f} bpm  beat {beat.phase:.2f}" if beat.known else "no tempo (T taps)"
        imgui.text_colored(_DIM, f"presets   {tempo}   {waiting}")
        room = imgui.get_content_region_avail().x
        used = 0.0
        for preset in looks.library.all():
            label = f"{preset.key} {preset.name}" if preset.key is not None else preset.name
            texture = self._thumbnails.texture(preset.name)
            wide = imgui.calc_text_size(label).x + 26 + (SIZE + 4 if texture else 0)
            if used and used + wide < room:
                imgui.same_line()
            else:
                used = 0.0
            used += wide
            if texture:
                imgui.image(imgui.ImTextureRef(texture), ImVec2(SIZE, SIZE))
                imgui.same_line(0, 4)
            chosen = preset.name == looks.preset
            if chosen:
                imgui.push_style_color(imgui.Col_.button.value, ImVec4(0.20, 0.42, 0.52, 1.0))
            if imgui.button(label):
                self._ask(Action("preset.load", preset.name))
            if chosen:
                imgui.pop_style_color()
            self._offer_learn(Action("preset.load", preset.name), preset.description)
        self._draw_saving()

    def _draw_saving(self) -> None:
        looks = self._subject.control.looks
        imgui.set_next_item_width(180)
        entered, self._new_name = imgui.input_text(
            "##name", self._new_name, imgui.InputTextFlags_.enter_returns_true.value
        )
        imgui.same_line()
        if imgui.button("save as") or entered:
            try:
                looks.save(self._new_name)
                self._new_name = self._problem = ""
            except PresetError as error:
                self._problem = str(error)
        for index, (label, action) in enumerate(
            (
                ("undo", Action("undo")),
                ("re-roll", Action("projection.reroll")),
                ("blackout", Action("show.blackout")),
                ("freeze", Action("show.freeze")),
                ("next model", Action("model.next")),
            )
        ):
            if index:
                imgui.same_line()
            if imgui.button(label):
                self._ask(action)
            self._offer_learn(action)
        if self._problem:
            imgui.text_colored(_BAD, self._problem)

    def _offer_learn(self, action: Action, text: str = "") -> None:
        """The button just drawn can be learned: by a right click, or the key L while it is pointed to."""
        control = self._subject.control
        if imgui.is_item_hovered() or imgui.is_item_focused():
            self.pointed = action
        if imgui.is_item_hovered():
            bound = [f"{source} of {device}" for device, source in control.bound_to(action)]
            imgui.set_tooltip("\n".join(filter(None, [text, *bound, "right click: learn a control"])))
        if imgui.is_item_clicked(imgui.MouseButton_.right):
            control.learn(action)
            self._subject.notices.tell(f"Move a control for {action}", self.now)

    def _ask(self, action: Action) -> None:
        try:
            self._subject.control.ask(action)
        except ControlError as error:
            self._problem = str(error)

    def _draw_activity(self) -> None:
        control = self._subject.control
        devices = ", ".join(control.midi.devices) if control.midi is not None else ""
        heard = control.midi.inbox.received if control.midi is not None else 0
        imgui.text_colored(_DIM, f"MIDI: {devices or 'no device'}   {heard} messages")
        if control.osc is not None:
            counters = control.osc.counters
            imgui.text_colored(
                _DIM,
                f"OSC: {control.osc.address}   {counters.accepted} messages, {counters.bad} refused, "
                f"{counters.held} held at an end of their range",
            )
        for notice in list(self._subject.notices.history)[-6:]:
            imgui.text_colored(_DIM, f"{self.now - notice.time:5.0f} s ago  {notice.text}")


def _widget(parameter: Parameter, value: Any) -> tuple[bool, Any]:
    """The imgui widget that fits a parameter; returns whether it changed, and its value."""
    match parameter.kind:
        case Kind.SWITCH:
            return imgui.checkbox("##value", value)
        case Kind.CHOICE:
            index = parameter.choices.index(value)
            changed, index = imgui.combo("##value", index, list(parameter.choices))
            return changed, parameter.choices[index]
        case Kind.INTEGER:
            return imgui.drag_int("##value", value, 1.0, int(parameter.low), int(parameter.high))
        case Kind.CONTINUOUS:
            flags = imgui.SliderFlags_.logarithmic.value if parameter.curve == "log" else 0
            shown = f"%.3f {parameter.unit}".strip()
            return imgui.slider_float("##value", value, parameter.low, parameter.high, shown, flags)


def _held(parameter: Parameter, value: Any) -> Any:
    """Inside the range: a slider typed into can be left beyond it, and rounds to single precision."""
    if isinstance(value, bool | str):
        return value
    return min(max(value, parameter.low), parameter.high)


def _draw_ghost(position: float) -> None:
    """Where the hardware knob stands, on the slider just drawn."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    x = low.x + 6 + position * (high.x - low.x - 12)
    colour = imgui.get_color_u32(ImVec4(*_GHOST))
    imgui.get_window_draw_list().add_line(ImVec2(x, low.y), ImVec2(x, high.y), colour, 3.0)


def _draw_normal(highest: float) -> None:
    """The standard normal's shares over the histogram just drawn."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    x = np.linspace(-4, 4, 33)
    shares = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi) * 0.25
    across = low.x + (x + 4) / 8 * (high.x - low.x)
    down = high.y - np.minimum(shares / highest, 1.0) * (high.y - low.y)
    points: list[Any] = [(float(a), float(b)) for a, b in zip(across, down, strict=True)]
    imgui.get_window_draw_list().add_polyline(points, imgui.get_color_u32(_WARN), 1.5, 0)


def _decibels(level: float) -> float:
    """−60 to 0 dBFS as 0 to 1."""
    return float(np.clip(1 + 20 * np.log10(max(level, 1e-6)) / 60, 0, 1))


def _bar(name: str, share: float, text: str, width: float = 240) -> None:
    imgui.push_id(name)
    imgui.progress_bar(float(share), ImVec2(width, 0), text)
    imgui.pop_id()


def _lines(name: str, values: np.ndarray, low: float, high: float, height: float) -> None:
    size = ImVec2(imgui.get_content_region_avail().x, height)
    imgui.plot_lines(f"##{name}", values.astype(np.float32), 0, name, low, high, size)


def _histogram(name: str, values: np.ndarray, high: float, height: float) -> None:
    size = ImVec2(imgui.get_content_region_avail().x, height)
    imgui.plot_histogram(f"##{name}", values.astype(np.float32), 0, name, 0.0, high, size)
