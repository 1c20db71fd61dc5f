"""The moments that a show has kept: the engine hears of them, and the operator of those that do not fit."""

from __future__ import annotations

from pathlib import Path

from lavlive.control.looks.looks import Looks
from lavlive.link.keyframes import MOST, Keyframe
from lavlive.link.messages import UseKeyframes
from lavlive.link.points import read_points
from lavlive.link.supervisor import Supervisor
from lavlive.stage.notices import Notices


class KeptMoments:
    """Keyframes of one show, as `Looks` holds them.

    Attributes:
        model_hash: of the model that is shown, "" before the first.
    """

    def __init__(self, looks: Looks, supervisor: Supervisor, notices: Notices) -> None:
        self.model_hash = ""
        self._looks = looks
        self._supervisor = supervisor
        self._notices = notices
        self._sent: tuple[Keyframe, ...] = ()

    @property
    def strange(self) -> int:
        """How many are of another model than the one that is shown."""
        kept = self._looks.keyframes
        return sum(not keyframe.is_of(self.model_hash) for keyframe in kept) if self.model_hash else 0

    def step(self, now: float) -> None:
        """Send them when they have changed and an engine runs."""
        keyframes = self._looks.keyframes
        if keyframes is not self._sent and self._supervisor.state == "running":
            self._sent = keyframes
            self._supervisor.send(UseKeyframes(keyframes))
            self._tell_strange(now)

    def begin(self, model_hash: str) -> None:
        """A new engine, which knows of none, makes pictures of this model."""
        self.model_hash = model_hash
        self._sent = ()

    def show_model(self, model_hash: str, now: float) -> None:
        """Another model is shown."""
        self.model_hash = model_hash
        self._tell_strange(now)

    def keep(self, keyframe: Keyframe, now: float) -> None:
        """The engine hands over the moment that a hand asked for."""
        count = len(self._looks.keyframes) + 1
        if self._looks.keep(keyframe):
            self._notices.tell(f"Keyframe {count} kept", now)
        else:
            self._notices.tell(f"There are {MOST} keyframes already: Shift+K forgets the last", now)

    def open(self, path: Path, now: float) -> None:
        """Keep the points of W in a file that ``lavlive model project`` wrote.

        Raises:
            UsageError: it holds none.
        """
        points = read_points(path)
        kept = self._looks.keep_all(points)
        left_out = f"; there are {MOST} keyframes, the others are left out" if kept < len(points) else ""
        self._notices.tell(f"{kept} keyframe{'' if kept == 1 else 's'} of {path.name} kept{left_out}", now)

    def _tell_strange(self, now: float) -> None:
        """Say how many belong to other models: they are kept, and return with their model."""
        strange = self.strange
        if strange:
            are = f"{strange} keyframe{'s are' if strange > 1 else ' is'}"
            self._notices.tell(f"{are} of another model: kept, and used again with it", now)
