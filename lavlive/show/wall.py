"""A show's part in a wall of machines: it conducts others, or follows a conductor. Called once a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lavlive.errors import ParameterError
from lavlive.link.contents import BeatClock, Picture
from lavlive.link.memory import SharedBlock
from lavlive.parameters import GLIDES, INDEX, Value, loaded_parameters
from lavlive.resources import generator_file
from lavlive.stage.canvas.isf.library import NONE, ShaderLibrary
from lavlive.wall.conductor import Conductor, Hop, Node, Snapshot, Wall
from lavlive.wall.follower import Due, Follower
from lavlive.wall.hashes import FileHashes
from lavlive.wall.messages import Look, Report
from lavlive.wall.threads import Conducting, Following
from lavlive.wall.transport import Transport

if TYPE_CHECKING:
    from lavlive.show.show import Show

_ASSIST = INDEX["assist.on"]
_SHADER = ".shader"
_ASK_AGAIN_SECONDS = 20.0
"""For the conductor's model, where this node has its file and yet does not show it."""
_LATENCY_SHARE = 0.05
_FRAME_SECONDS = 0.008
"""Half a frame of the screen, and a look at the link."""


class WallPart(Wall, Protocol):
    """What a show asks its part in a wall, besides what the operator sees of it."""

    def collect(self, show: Show, now: float) -> None:
        """Before this frame's values are taken together."""

    def moved(self, own: Mapping[str, float]) -> Mapping[str, float]:
        """The values of what is loaded as beat and sound move them; `own` are this show's."""

    def beat(self, own: BeatClock, now: float) -> BeatClock:
        """Where the music is; `own` is by this show's."""

    def presented(self, show: Show, picture: Picture | None, now: float) -> None:
        """A frame was presented, with a new picture or without."""

    @property
    def delay(self) -> float:
        """Seconds from the sound to when its picture is due on this screen; 0 where it is shown at once."""

    def close(self) -> None:
        """End its thread."""


def hops_of(link: SharedBlock) -> Callable[[], Hop | None]:
    """Gives the newest hop of a link."""

    def newest() -> Hop | None:
        hop = link.read_hop()
        return Hop(hop.number, hop.captured, hop.groups) if hop is not None else None

    return newest


def shader_hash(shaders: ShaderLibrary | None, name: str, hashes: FileHashes) -> str:
    """Of a shader's file; "" where there is none, or while it is being read."""
    document = shaders.document(name) if shaders is not None and name != NONE else None
    return hashes.of(document.path) if document is not None else ""


class ConductorPart:
    """A show that conducts."""

    conducts = True

    def __init__(self, thread: Conducting) -> None:
        self._thread = thread
        self._conductor: Conductor = thread.conductor
        self._hashes = FileHashes()
        self._loaded: tuple[int, dict[str, Value]] = (-1, {})
        self._now = 0.0
        self._told = ""
        self._here: set[str] = set()

    def collect(self, show: Show, now: float) -> None:
        """Nothing: a conductor's hands are its own."""

    def moved(self, own: Mapping[str, float]) -> Mapping[str, float]:
        """As they are."""
        return own

    def beat(self, own: BeatClock, now: float) -> BeatClock:
        """As it is."""
        return own

    def presented(self, show: Show, picture: Picture | None, now: float) -> None:
        """Tell what this frame wants."""
        self._now = now
        values = show.control.values
        if self._loaded[0] != values.revision:
            found = {p.name: values[p.name] for p in loaded_parameters(values.__getitem__)}
            self._loaded = values.revision, found
        loaded = self._loaded[1]
        chosen = {str(value) for name, value in loaded.items() if name.endswith(_SHADER) and value != NONE}
        heard, beat = show.hearing.heard, show.control.beat(now)
        mix = show.models.get(show.control.looks.mix)
        self._conductor.show(
            Snapshot(
                numbers=show.controls.numbers,
                revision=show.controls.revision,
                tempo=beat.bpm,
                beat=beat.beat,
                moved=dict(show.control.moved_now),
                onset=heard.onset,
                spectrum=heard.spectrum,
                chroma=heard.chroma,
                spent=show.output.limiter.spent(),
                preset=show.control.looks.preset,
                model=show.model_name,
                model_hash=self._hashes.of(generator_file(show.supervisor.settings.model)),
                loaded=loaded,
                shaders={name: shader_hash(show.shaders, name, self._hashes) for name in chosen},
                mix=show.control.looks.mix if mix is not None else "",
                mix_hash=self._hashes.of(generator_file(mix)) if mix is not None else "",
            )
        )
        self._tell(show, now)

    def _tell(self, show: Show, now: float) -> None:
        if self._thread.problem:
            show.notices.raise_condition("wall", self._thread.problem, now)
        else:
            show.notices.clear("wall")
        if self._conductor.told != self._told:
            self._told = self._conductor.told
            show.notices.tell(f"{self._told}; {self._conductor.strange} such messages so far", now)
        here = {node.report.node for node in self.nodes if node.there(now)}
        for name in sorted(here - self._here):
            show.notices.tell(f"Node {name} is there", now)
        for name in sorted(self._here - here):
            show.notices.tell(f"Node {name} is gone", now)
        self._here = here

    @property
    def delay(self) -> float:
        """A conductor shows at once."""
        return 0.0

    @property
    def node_delay(self) -> float:
        """Seconds after which its nodes show what it hears."""
        return self._conductor.delay

    @property
    def nodes(self) -> list[Node]:
        """Those heard of within the last minute."""
        return self._conductor.nodes(self._now)

    def there(self, node: Node, now: float) -> bool:
        """Whether it still tells how it fares."""
        return node.there(now)

    def identify(self, node: str, now: float) -> None:
        """Have a node show its name; "*" for all."""
        self._conductor.identify(node, now)

    def close(self) -> None:
        """End the threads."""
        self._thread.close()
        self._hashes.close()


class FollowerPart:
    """A show that follows.

    Args:
        connect: opens the transport to the conductor.
        place: what this node shows of the whole, for people.
        own_model: whether it keeps the model that it began with, whatever the conductor shows.
    """

    conducts = False

    def __init__(
        self,
        follower: Follower,
        link: SharedBlock,
        connect: Callable[[], Transport],
        place: str,
        own_model: bool,
    ) -> None:
        self.nodes: list[Node] = []
        self._follower = follower
        self._thread = Following(follower, connect, write_due(link), self._report)
        self._link = link
        self._place = place
        self._own_model = own_model
        self._model = ""
        self._late = 0.0
        self._look: Look | None = None
        self._hashes = FileHashes()
        self._moved: Mapping[str, float] = {}
        self._lacking: dict[str, str] = {}
        self._asked = ("", -np.inf)
        self._met = False

    def start(self) -> None:
        """Look for the conductor."""
        self._thread.start()

    @property
    def delay(self) -> float:
        """As the conductor says."""
        newest = self._follower.buffer.newest
        return newest.moment.delay if newest is not None else 0.0

    @property
    def node_delay(self) -> float:
        """This node's own."""
        return self.delay

    def collect(self, show: Show, now: float) -> None:
        """Take over what the conductor wants."""
        self._model = show.model_name
        follower = self._follower
        newest, due = follower.buffer.newest, self._thread.due
        if newest is not None:
            self._met = True
            numbers = newest.numbers.copy()
            if due is not None and now - due.due < 0.1:
                numbers[GLIDES] = due.content.numbers[GLIDES]
            numbers[_ASSIST] = 0.0  # the conductor's has done its work in these numbers
            values = show.control.values
            if not np.array_equal(values.numbers, numbers):
                values.numbers[:] = numbers
                values.revision += 1
            self._moved = due.content.moved if due is not None else newest.moved
        show.output.limiter.spend(follower.spent(due, now))
        if follower.look is not None:
            self._take_look(show, follower.look, now)
        self._tell(show, now)
        show.output.sign = follower.node if follower.identify and not follower.lost(now) else ""

    def moved(self, own: Mapping[str, float]) -> Mapping[str, float]:
        """The conductor's; what only this node has is its own."""
        return {**own, **{name: value for name, value in self._moved.items() if name in own}}

    def beat(self, own: BeatClock, now: float) -> BeatClock:
        """The conductor's, as late as its sound is shown here."""
        newest = self._follower.buffer.newest
        if newest is None:
            return own
        rate = newest.moment.tempo / 60.0
        since = self._follower.conductor_time(now) - newest.moment.delay - newest.moment.sent
        return BeatClock(now, newest.moment.beat + since * rate, rate)

    def presented(self, show: Show, picture: Picture | None, now: float) -> None:
        """Learn how long this node takes, from a deviation to the screen."""
        self._late = show.latency.seconds
        if picture is None or not picture.journey.latent_ready:
            return
        took = picture.made - picture.journey.latent_ready + _FRAME_SECONDS
        share = _LATENCY_SHARE if self._follower.ahead else 1.0
        self._follower.ahead += (min(max(took, 0.0), 1.0) - self._follower.ahead) * share

    def there(self, node: Node, now: float) -> bool:
        """There are no nodes here."""
        return False

    def identify(self, node: str, now: float) -> None:
        """There are no nodes here."""

    def close(self) -> None:
        """End the threads."""
        self._thread.close()
        self._hashes.close()

    def _report(self) -> Report:
        pictures = self._link.number("picture.rate")
        return self._follower.report(pictures, self.delay + self._late, self._model, self._place)

    def _take_look(self, show: Show, look: Look, now: float) -> None:
        if look is not self._look:
            self._look = look
            values = show.control.values
            problems: dict[str, str] = {}
            for name, value in look.loaded.items():
                try:
                    if values[name] != value:
                        values.set(name, value)
                except ParameterError:
                    group = name.partition(".")[0]
                    problems.setdefault(group, f"{group}: {value if name.endswith(_SHADER) else name}")
            self._lacking = {"effects": "; ".join(problems.values())} if problems else {}
        others = [
            name
            for name, theirs in look.shaders.items()
            if theirs and (ours := shader_hash(show.shaders, name, self._hashes)) and ours != theirs
        ]
        if others:
            self._lacking["shaders"] = ", ".join(sorted(others))
        if not self._own_model and look.model_hash and not show.model_is_loading:
            self._follow_models(show, look, now)

    def _follow_models(self, show: Show, look: Look, now: float) -> None:
        """Show the model that the conductor shows, then mix in what it mixes in: each if this node has it."""
        found = {name: self._hashes.of(generator_file(path)) for name, path in show.models.items()}
        same = _named(found, look.model_hash)
        if same is None and self._hashes.busy:  # its file may be one of those that are still being read
            return
        self._lack("model", look.model if same is None else "")
        if same is not None and found.get(show.model_name) != look.model_hash:
            # One that is refused here is not asked for in every frame.
            if look.model_hash != self._asked[0] or now - self._asked[1] >= _ASK_AGAIN_SECONDS:
                self._asked = look.model_hash, now
                show.load_model(show.models[same])
            return
        mix = _named(found, look.mix_hash) if look.mix and same is not None else ""
        if mix is None and (not look.mix_hash or self._hashes.busy):
            return
        self._lack("mix", look.mix if mix is None else "")
        # It is no hand's doing: there is nothing to take back.
        show.control.looks.mix = mix or ""

    def _lack(self, what: str, name: str) -> None:
        """Note that this node has not what the conductor shows; "" for that it has."""
        if name:
            self._lacking[what] = name
        else:
            self._lacking.pop(what, None)

    def _tell(self, show: Show, now: float) -> None:
        conditions = {
            "effects": "The conductor shows effects that this node has not: {}",
            "shaders": "This node's files of these effects differ from the conductor's: {}",
            "model": "The conductor shows the model {}, which this node has not: it shows its own, "
            + show.model_name,
            "mix": "The conductor mixes in the model {}, which this node has not: nothing is mixed in here",
        }
        for key, text in conditions.items():
            if key in self._lacking:
                show.notices.raise_condition(f"wall {key}", text.format(self._lacking[key]), now)
            else:
                show.notices.clear(f"wall {key}")
        trouble = self._follower.trouble
        if trouble:
            show.notices.raise_condition("wall trouble", trouble, now)
        else:
            show.notices.clear("wall trouble")
        if not self._follower.lost(now):
            show.notices.clear("wall")
        elif self._met:
            show.notices.raise_condition("wall", "The conductor is lost: the picture is held", now)
        else:
            text = self._thread.problem or "Waiting for the conductor"
            show.notices.raise_condition("wall", text, now)


def _named(hashes: Mapping[str, str], hash: str) -> str | None:
    """The name of what has this hash; None where nothing has it."""
    return next((name for name, each in hashes.items() if hash and each == hash), None)


def write_due(link: SharedBlock) -> Callable[[Due], None]:
    """Leaves what is due in the link, where the engine and the stage's drives find it."""

    def write(due: Due) -> None:
        content = due.content
        link.meter("audio.onset")[0] = content.moment.onset
        if content.spectrum is not None:
            link.meter("audio.spectrum")[:] = content.spectrum
        if content.chroma is not None:
            link.meter("audio.chroma")[:] = content.chroma
        link.write_deviation(content.deviation, due.due)

    return write
