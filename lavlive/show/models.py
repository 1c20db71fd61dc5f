"""Which model makes the pictures, and which comes next: the bank, loading, and what is passed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lavlive.control.looks.looks import Looks
from lavlive.files import shown
from lavlive.link.messages import MixWith
from lavlive.link.supervisor import Supervisor
from lavlive.resources import bundled_generators
from lavlive.show.bank import ModelBank
from lavlive.stage.notices import Notices

_CHANGED_SECONDS = 0.3
"""Of the fade from model to model behind a transition."""


class ShownModels:
    """The models of one show. One is loaded at a time; what is asked for meanwhile comes after it.

    Args:
        names: the models to choose from: from a name to a path.
        fade: gives the seconds of a fade from one model to the next.

    Attributes:
        names: as above; `open` adds to it.
        coming: the path that is being loaded, None for none or the bundled one.
        loading: whether a model is being loaded or faded in.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        supervisor: Supervisor,
        looks: Looks,
        notices: Notices,
        fade: Callable[[], float],
    ) -> None:
        self.names = dict(names)
        self.coming: str | None = None
        self.loading = False
        self._another = False
        self._mixed_in = ""
        self._bank = ModelBank(list(self.names.values()))
        self._supervisor = supervisor
        self._looks = looks
        self._notices = notices
        self._fade = fade
        looks.bank = self.names

    def mix(self, now: float) -> None:
        """Have the model mixed in that the look names, when that has changed and an engine runs."""
        wanted = self._looks.mix
        if wanted == self._mixed_in or self._supervisor.state != "running":
            return
        self._mixed_in = wanted
        if wanted and wanted not in self.names:
            self._notices.tell(f"There is no model {wanted} here to mix in", now)
        self._supervisor.send(MixWith(self.names.get(wanted)))

    def mix_anew(self) -> None:
        """A new engine has nothing mixed in."""
        self._mixed_in = ""

    @property
    def shown(self) -> str:
        """What is loaded for the model that makes the pictures: a path, or a bundled one's name."""
        return self._supervisor.settings.model or next(iter(bundled_generators()))

    @property
    def current(self) -> str:
        """The same of the one that comes, or else of the one that is shown."""
        return self.coming or self.shown

    @property
    def name(self) -> str:
        """The name of the model that makes the pictures, as the bank has it."""
        return next(
            (name for name, each in self.names.items() if each == self.shown), shown(Path(self.shown).stem)
        )

    def choose(self, path: str) -> None:
        """Fade to a model of `names`; `undo` takes it back."""
        self._looks.changed_model(self.current, path)
        self.load(path)

    def open(self, path: str) -> None:
        """Take a file into `names` and fade to it; one that is refused is told, and leaves `names`."""
        if path not in self.names.values():
            self.names[self._bank.add(path, self.names)] = path
        self.choose(path)

    def walk(self, direction: int, now: float) -> None:
        """Fade to the next (1) or the previous (−1) of the bank."""
        if len(self.names) < 2:
            self._notices.tell("One model only: start with --model FOLDER for a bank of them", now)
            return
        current = self.current
        chosen = self._bank.step(current, direction)
        if chosen is None:
            self._notices.tell("The folder holds no other model that can be played", now)
            return
        self._looks.changed_model(current, chosen)
        self.load(chosen)

    def load(self, path: str | None) -> None:
        """Load another model beside the running one, then fade to it; after one that is loading already."""
        self.coming = path
        self._another = self.loading
        if self.loading:
            return
        self.loading = True
        fade = self._fade()
        if self._looks.transitions:
            fade = min(fade, _CHANGED_SECONDS)
        self._supervisor.load_model(path, fade)

    def reshape(self, aspect: float, seconds: float) -> None:
        """Load the running one again for pictures of another shape: width over height."""
        self.loading = True
        self._supervisor.change_shape(aspect, seconds)

    def arrived(self) -> None:
        """The model that was loading is shown, or will never be: on to the one chosen meanwhile."""
        coming, self.coming, self.loading = self.coming, None, False
        if self._another:
            self.load(coming)

    def abandoned(self) -> None:
        """The engine ended while it loaded: nothing comes any more."""
        self._another = False
        self.arrived()

    def refused(self, path: str | None) -> None:
        """A model was refused: where a hand asked for it, the bank's next one in that direction is tried."""
        is_asked = path is not None and path == self.coming
        if self._bank.forget(path):
            for name in [name for name, each in self.names.items() if each == path]:
                del self.names[name]
            self.arrived()
            return
        instead = self._bank.refuse(path, self.shown)
        self.arrived()
        if is_asked and instead is not None:
            self.load(instead)
