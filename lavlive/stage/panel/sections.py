"""The panel's sections, in the order of their tabs. A new one is a file of its own, and one line here."""

from __future__ import annotations

from lavlive.stage.panel.choosers import ChoosersSection
from lavlive.stage.panel.devices import DevicesSection
from lavlive.stage.panel.effects import EffectsSection
from lavlive.stage.panel.keys import KeysSection
from lavlive.stage.panel.knobs import KnobsSection
from lavlive.stage.panel.latents import LatentsSection
from lavlive.stage.panel.mapping import MappingSection
from lavlive.stage.panel.meters import MetersSection
from lavlive.stage.panel.outputs import OutputsSection
from lavlive.stage.panel.presets import PresetsSection
from lavlive.stage.panel.section import Section
from lavlive.stage.panel.wall import WallSection

SECTIONS: tuple[type[Section], ...] = (
    KnobsSection,
    EffectsSection,
    LatentsSection,
    PresetsSection,
    ChoosersSection,
    MetersSection,
    MappingSection,
    OutputsSection,
    WallSection,
    DevicesSection,
    KeysSection,
)
