"""What the stage and the engine share: picture slots, one parameter block, one block of meters.

All of it lies in one block of shared memory that the stage creates and outlives every engine with.
Nobody waits for anybody: each part has one writer, and a reader that meets a half-written value
takes the one before. Commands and events, which must not be lost, travel as JSON lines through the
engine's standard input and output instead.

    part          writer    reader    rule
    pictures      engine    stage     newest wins; a slot is never written while it is the newest
    sound         engine    stage     a ring of the last seconds, for the recorder
    parameters    stage     engine    newest wins
    beat          stage     engine    newest wins
    meters        engine    stage     single numbers, each whole

Every time is in seconds of `time.perf_counter`, which both processes share.
"""

from __future__ import annotations

import secrets
import shutil
import sys
from contextlib import suppress
from multiprocessing import shared_memory
from typing import BinaryIO

import numpy as np

from lavlive.diagnosis.signs import LENGTHS, Signs
from lavlive.errors import LavliveError
from lavlive.link.blocks import FOLDER, PREFIX, hold, open_untracked, remove_abandoned
from lavlive.link.contents import UNTIMED, BeatClock, Deviation, Journey, Picture, Sound
from lavlive.link.layout import BLOCK, LAYOUT_VERSION, MAX_PIXELS, PIXELS_AT, SLOT_BYTES, SLOTS, SOUND_FRAMES

_BEING_WRITTEN = -1
_TRIES = 8


class SharedBlock:
    """The shared block, as either process sees it. A context manager; `close` lets go of it."""

    def __init__(self, memory: shared_memory.SharedMemory, owner: bool, held: BinaryIO | None = None) -> None:
        self._memory = memory
        self._owner = owner
        self._held = held
        self._block = np.ndarray((), BLOCK, memory.buf)
        self._pixels = np.ndarray((SLOTS, SLOT_BYTES), np.uint8, memory.buf, PIXELS_AT)
        self._slots = self._block["slots"]
        self._meters = self._block["meters"]

    @classmethod
    def create(cls) -> SharedBlock:
        """Make a new block (the stage does), and remove those of stages that were killed."""
        remove_abandoned()
        name, size = f"{PREFIX}{secrets.token_hex(6)}", PIXELS_AT + SLOTS * SLOT_BYTES
        memory = shared_memory.SharedMemory(name, create=True, size=size)
        link = cls(memory, owner=True, held=hold(memory.name))
        link._block["version"] = LAYOUT_VERSION
        link._block["newest"] = -1
        return link

    @classmethod
    def attach(cls, name: str) -> SharedBlock:
        """Open the block that a stage made (the engine does).

        Raises:
            ValueError: the block was made by another version of lavlive.
        """
        link = cls(open_untracked(name), owner=False)
        if link._block["version"] != LAYOUT_VERSION:
            link.close()
            raise ValueError(f"The link {name} was made by another version of lavlive.")
        return link

    @property
    def name(self) -> str:
        """What `attach` takes."""
        return self._memory.name

    def __enter__(self) -> SharedBlock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the memory; the owner's call removes it."""
        del self._block, self._pixels, self._slots, self._meters
        with suppress(BufferError):  # somebody still looks at a slot: the memory goes with the process
            self._memory.close()
        if self._owner:
            self._memory.unlink()
        if self._held is not None:
            self._held.close()

    # Pictures

    def require_room(self, height: int, width: int) -> None:
        """See that memory can be had for pictures of a size, for to write without it ends the process.

        Raises:
            LavliveError: the system's shared memory is too small, as in a container that asked for none.
        """
        if sys.platform != "linux":
            return
        needed = SLOTS * height * width * 3
        with suppress(OSError):
            taken = (FOLDER / self.name).stat().st_blocks * 512
            free = shutil.disk_usage(FOLDER).free
            if free + taken < needed:
                raise LavliveError(
                    f"Pictures of {height} x {width} need {needed / 1e6:.0f} MB of shared memory, and "
                    f"{FOLDER} has {free / 1e6:.0f} MB: give it more (docker run --shm-size=256m)."
                )

    def slots_for(self, height: int, width: int) -> list[np.ndarray]:
        """The slots' pixels for pictures of a size, for whoever pins them; not to be kept beyond `close`."""
        return [slot[: height * width * 3] for slot in self._pixels]

    def next_slot(self, height: int, width: int) -> np.ndarray:
        """Where the next picture may be made, uint8 [height, width, 3]: hand it to `write_picture` then.

        Until it is handed over readers take the picture before.
        """
        if height * width > MAX_PIXELS:
            raise ValueError(f"a picture of {height} x {width} does not fit the link")
        index = (int(self._block["newest"]) + 1) % SLOTS
        self._slots[index]["sequence"] = _BEING_WRITTEN
        return self._pixels[index, : height * width * 3].reshape(height, width, 3)

    def write_picture(
        self,
        pixels: np.ndarray,
        captured: float,
        made: float,
        parameter_revision: int,
        journey: Journey = UNTIMED,
    ) -> int:
        """Publish a picture, uint8 [H, W, 3], of at most `MAX_PIXELS`; returns its sequence number."""
        height, width, _ = pixels.shape
        if height * width > MAX_PIXELS:
            raise ValueError(f"a picture of {height} x {width} does not fit the link")
        newest = int(self._block["newest"])
        sequence = int(self._slots[newest]["sequence"]) + 1 if newest >= 0 else 1
        index = (newest + 1) % SLOTS
        slot = self._slots[index]
        slot["sequence"] = _BEING_WRITTEN
        slot["height"], slot["width"] = height, width
        slot["captured"], slot["made"] = captured, made
        slot["parameter_revision"] = parameter_revision
        slot["journey"] = journey
        target = self._pixels[index]
        if pixels.ctypes.data != target.ctypes.data:  # else it was made in its place
            target[: height * width * 3] = pixels.reshape(-1)
        slot["sequence"] = sequence
        self._block["newest"] = index
        return sequence

    @property
    def newest_sequence(self) -> int:
        """Sequence number of the newest picture, 0 before the first."""
        newest = int(self._block["newest"])
        return int(self._slots[newest]["sequence"]) if newest >= 0 else 0

    def read_picture(self, after: int = 0) -> Picture | None:
        """The newest picture if its sequence number is above `after`, else None."""
        for _ in range(SLOTS):
            newest = int(self._block["newest"])
            if newest < 0:
                return None
            slot = self._slots[newest].copy()
            sequence = int(slot["sequence"])
            height, width = int(slot["height"]), int(slot["width"])
            if sequence == _BEING_WRITTEN:
                continue
            if sequence <= after:
                return None
            pixels = self._pixels[newest, : height * width * 3].reshape(height, width, 3).copy()
            if int(self._slots[newest]["sequence"]) == sequence:
                return Picture(
                    pixels,
                    sequence,
                    float(slot["captured"]),
                    float(slot["made"]),
                    int(slot["parameter_revision"]),
                    Journey(*slot["journey"].tolist()),
                )
        return None

    # Sound

    def write_sound(self, samples: np.ndarray, rate: int, captured: float) -> None:
        """Append float32 [frames, channels]; mono is doubled, further channels are left out."""
        stereo = samples[-SOUND_FRAMES:, [0, min(1, samples.shape[1] - 1)]]
        start = (int(self._block["sound_position"]) + len(samples) - len(stereo)) % SOUND_FRAMES
        first = min(len(stereo), SOUND_FRAMES - start)
        self._block["sound"][start : start + first] = stereo[:first]
        self._block["sound"][: len(stereo) - first] = stereo[first:]
        self._block["sound_rate"] = rate
        self._block["sound_captured"] = captured
        self._block["sound_position"] += len(samples)

    @property
    def sound_position(self) -> int:
        """Frames of sound that the engine has written since it began."""
        return int(self._block["sound_position"])

    def read_sound(self, after: int) -> Sound | None:
        """What came after position `after`, at most half of what the ring holds; None if nothing did.

        Positions only grow: a new engine counts on where the one before it ended.
        """
        position = int(self._block["sound_position"])
        frames = min(position - after, SOUND_FRAMES // 2)
        if frames <= 0:
            return None
        index = np.arange(position - frames, position) % SOUND_FRAMES
        return Sound(
            self._block["sound"][index],
            int(self._block["sound_rate"]),
            position,
            float(self._block["sound_captured"]),
        )

    # Parameters

    def write_parameters(self, numbers: np.ndarray, revision: int) -> None:
        """Publish the values of all parameters, float64 in the table's order."""
        self._block["parameter_version"] += 1
        self._block["parameters"] = numbers
        self._block["parameter_revision"] = revision
        self._block["parameter_version"] += 1

    def read_parameters(self) -> tuple[np.ndarray, int] | None:
        """The newest values and their revision.

        None if every try met a half-written block, as when a stage died while it wrote; whoever asks goes on
        with the values of before.
        """
        for _ in range(_TRIES):
            before = int(self._block["parameter_version"])
            numbers = self._block["parameters"].copy()
            revision = int(self._block["parameter_revision"])
            if before % 2 == 0 and int(self._block["parameter_version"]) == before:
                return numbers, revision
        return None

    def write_beat(self, beat: BeatClock) -> None:
        """Publish where the music is."""
        self._block["beat_version"] += 1
        self._block["beat"] = beat
        self._block["beat_version"] += 1

    def read_beat(self) -> BeatClock | None:
        """Where the music is; None before anybody said, and while it is being written."""
        before = int(self._block["beat_version"])
        beat = BeatClock(*self._block["beat"].tolist())
        if before == 0 or before % 2 or int(self._block["beat_version"]) != before:
            return None
        return beat

    # Meters

    def meter(self, name: str) -> np.ndarray:
        """A meter's values, float64 [length]: the engine writes into it, the stage copies from it."""
        values = self._meters[name]
        assert isinstance(values, np.ndarray)
        return values

    def number(self, name: str) -> float:
        """The present value of a meter of length one."""
        return float(self._meters[name][0])

    def write_deviation(self, deviation: np.ndarray, captured: float = 0.0) -> None:
        """Publish the layer groups' smoothed deviations, float [3, w], for drives, conductor and follower."""
        version = self._meters["latent.groups_version"]
        # Odd while it is written, also where an engine before died in the middle.
        version[0] += 1 + version[0] % 2
        self._meters["latent.width"][0] = deviation.shape[1]
        self._meters["latent.groups_captured"][0] = captured
        self._meters["latent.groups"][: deviation.size] = deviation.reshape(-1)
        version[0] += 1

    def read_deviation(self) -> np.ndarray | None:
        """The newest deviations, float64 [3, w]; None before the first and while they are being written."""
        hop = self.read_hop()
        return hop.groups if hop is not None else None

    def read_hop(self) -> Deviation | None:
        """The newest deviations with their time; None before the first and while they are being written."""
        before = float(self._meters["latent.groups_version"][0])
        width = int(self._meters["latent.width"][0])
        groups = np.array(self._meters["latent.groups"][: 3 * width]).reshape(3, width)
        captured = self.number("latent.groups_captured")
        if width == 0 or before % 2 or float(self._meters["latent.groups_version"][0]) != before:
            return None
        return Deviation(groups, captured, int(before))

    def write_signs(self, signs: Signs) -> None:
        """Publish the meters of the failure signatures."""
        for name, values in signs.numbers().items():
            self._meters[f"diagnosis.{name}"][:] = values

    def read_signs(self) -> Signs:
        """The newest meters of the failure signatures; `heard` is 0 before the first."""
        return Signs.of({name: self._meters[f"diagnosis.{name}"] for name in LENGTHS})
