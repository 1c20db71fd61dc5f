"""The section with what hands do in W: the dials of the model that is shown."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.actions import Action
from lavlive.link.keyframes import MOST
from lavlive.parameters import BEND_SLOTS, DIALS_PER_GROUP, GROUPS, TABLE, Parameter, find
from lavlive.parameters.words import label, title
from lavlive.stage.panel.anchors import AnchorPictures
from lavlive.stage.panel.effects import EffectsSection
from lavlive.stage.panel.files import FileChooser
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.section import Column, Desk
from lavlive.stage.panel.widgets import Row, heading, say


class LatentsSection(EffectsSection):
    """A row per dial, with what beat and sound do to it."""

    title = "Latents"
    column = Column.LOOK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._points = FileChooser("points of pictures", (".npz",))
        self._anchors = AnchorPictures(desk)

    def close(self) -> None:
        super().close()
        self._anchors.close()

    def draw(self) -> None:
        ghosts = self.desk.control.ghosts()
        self._draw_dials(ghosts)
        self._draw_keyframes()
        for head in ("anchor", "loop", *(f"bend.{slot}" for slot in BEND_SLOTS), "mix"):
            heading(title(head))
            if head == "mix":
                self._draw_mix()
            if head == "anchor":
                self._anchors.draw()
            for parameter in TABLE:
                if parameter.name.startswith(f"{head}."):
                    self._draw_driven(parameter, ghosts)

    def _draw_keyframes(self) -> None:
        heading("keyframes")
        row = Row()
        if row.button("keep this moment"):
            self.desk.ask("keyframe.keep")
        offer_learn(self.desk, Action("keyframe.keep"))
        if row.button("forget the last"):
            self.desk.ask("keyframe.drop")
        offer_learn(self.desk, Action("keyframe.drop"))
        if row.button("open points…"):
            self._points.open()
        chosen = self._points.draw()
        if chosen is not None:
            self.desk.show.open_points(chosen)
        count, strange = len(self.desk.control.looks.keyframes), self.desk.show.strange_keyframes
        say(
            f"{count} of {MOST} kept"
            + (f", {strange} of another model: not used with this one" if strange else "")
        )

    def _draw_mix(self) -> None:
        """Which model is mixed in."""
        mix = self.desk.control.looks.mix
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##mix", f"with {mix}" if mix else "with no other model"):
            for name in ("", *self.desk.show.models):
                if name != self.desk.show.model_name and imgui.selectable(name or "none", name == mix)[0]:
                    self.desk.ask("mix.with", name or "off")
            imgui.end_combo()

    def _draw_dials(self, ghosts: dict[str, float]) -> None:
        dials = self.desk.show.dials
        if dials is None:
            say("The dials of this model are being found. They work from then on.")
        for group, count in zip(GROUPS, dials.counts if dials else (DIALS_PER_GROUP,) * 3, strict=True):
            heading(title(f"dial.{group}"))
            if not count:
                say("This model has none here: no direction changes the picture enough.")
            for number in range(1, count + 1):
                self._draw_driven(find(f"dial.{group}.{number}"), ghosts)

    def _draw_driven(self, parameter: Parameter, ghosts: dict[str, float]) -> None:
        self._draw_parameter(parameter, ghosts.get(parameter.name))
        self._draw_trace(parameter)

    def _label(self, parameter: Parameter) -> str:
        """What people call a dial, else its number."""
        head, _, name = parameter.name.partition(".")
        if head != "dial":
            return label(parameter)
        dials = self.desk.show.dials
        return (dials.names.get(name) if dials else None) or name.rpartition(".")[2]
