"""The cross-fader between two presets: what lies between them at any place of it."""

from __future__ import annotations

from dataclasses import dataclass

from lavlive.control.looks.morph import between
from lavlive.control.looks.presets import Preset

FADER = "show.fader"


@dataclass(frozen=True)
class Fader:
    """The presets at its lower and upper end; None where none is chosen yet."""

    lower: Preset | None = None
    upper: Preset | None = None

    def choose(self, end: int, preset: Preset) -> Fader:
        """The same with another preset at the lower (0) or upper (1) end."""
        return Fader(preset, self.upper) if end == 0 else Fader(self.lower, preset)

    @property
    def names(self) -> tuple[str, str]:
        """Of the presets at its ends, "" where none is chosen."""
        lower, upper = (preset.name if preset else "" for preset in (self.lower, self.upper))
        return lower, upper

    @property
    def parameters(self) -> set[str]:
        """What it moves, itself included."""
        return {FADER, *(name for end in (self.lower, self.upper) if end for name in end.values)}

    def at(self, share: float) -> Preset | None:
        """The look at 0 to 1 of its way, by the name and of the model of the nearer end; None without both.

        Either end's movers move so far as it is near.
        """
        lower, upper = self.lower, self.upper
        if lower is None or upper is None:
            return None
        near = lower if share < 0.5 else upper
        beat = {name: old.faded(1.0 - share) for name, old in lower.beat.items()}
        drives = {name: old.faded(1.0 - share) for name, old in lower.drives.items()}
        return Preset(
            near.name,
            model=near.model,
            values=between(lower.values, upper.values, share),
            beat=beat | {name: new.faded(share) for name, new in upper.beat.items()},
            drives=drives | {name: new.faded(share) for name, new in upper.drives.items()},
        )
