"""What the stage hears of the engine's sound: drives by the latent's deviations, shaders as textures."""

from __future__ import annotations

import numpy as np

from lavlive.control.looks.drives import SILENCE, Heard
from lavlive.link.memory import SharedBlock
from lavlive.stage.canvas.isf.sound import SoundView


class Hearing:
    """Reads the link once a frame.

    Attributes:
        sound: what shaders hear.
        heard: what drives heard at the last step.
    """

    def __init__(self, link: SharedBlock) -> None:
        self.sound = SoundView()
        self._link = link
        self._position = 0
        self._time: float | None = None
        self.heard = SILENCE

    def step(self, now: float) -> Heard:
        """What drives hear at `now`; brings `sound` along."""
        elapsed = now - self._time if self._time is not None else 0.0
        self._time = now
        sound = self._link.read_sound(self._position)
        if sound is not None:
            self.sound.take(sound.samples, sound.rate)
            self._position = sound.position
        elif self._position > self._link.sound_position:
            self._position = 0  # a new engine counts from the beginning
        self.sound.step(elapsed)
        deviation = self._link.read_deviation()
        if deviation is not None:
            meter = self._link.meter
            onset = self._link.number("audio.onset")
            self.heard = Heard(
                deviation, onset, np.array(meter("audio.spectrum")), np.array(meter("audio.chroma"))
            )
        return self.heard
