"""Parts of a film to one file: pictures as they were encoded, one sound track."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from lavlive.errors import RecordingError
from lavlive.farm.material import Part
from lavlive.stage.recording.video import VideoWriter


class Film:
    """Takes parts in their order and sound between them. A context manager.

    Args:
        sound: a video file whose sound the film has, or None.
    """

    def __init__(self, path: Path, rate: Fraction, sound: Path | None) -> None:
        self._path = path
        self._rate = rate
        self._stack = contextlib.ExitStack()
        self._sound_path = sound
        self._container: OutputContainer | None = None
        self._video: VideoStream | None = None
        self._extra: bytes | None = None
        self.pictures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def append(self, part: Part) -> None:
        """Take the next part.

        Raises:
            RecordingError: it was encoded in another way than the first one, or the film cannot be written.
        """
        with av.open(io.BytesIO(part.video)) as source:
            stream = source.streams.video[0]
            if self._container is None:
                self._begin(stream)
            elif stream.codec_context.extradata != self._extra:
                raise RecordingError(
                    f"Part {part.number + 1} of {self._path.name} was encoded differently from the first "
                    "one: the farm's machines have different encoders. Render with one kind of machine."
                )
            assert self._container is not None
            assert self._video is not None
            count = 0
            for packet in source.demux(stream):
                if packet.dts is None:
                    continue
                shift = round(self.pictures / self._rate / packet.time_base)
                packet.pts = packet.pts + shift if packet.pts is not None else None
                packet.dts += shift
                packet.stream = self._video
                self._container.mux(packet)
                count += 1
            self.pictures += count

    def finish(self) -> None:
        """Write what is left."""
        self._stack.close()

    def _begin(self, template: VideoStream) -> None:
        try:
            self._container = self._stack.enter_context(
                av.open(str(self._path), "w", options={"movflags": "faststart"})
            )
        except OSError as error:
            raise RecordingError(f"{self._path} cannot be written: {error.strerror}.") from error
        self._extra = template.codec_context.extradata
        self._video = self._container.add_stream_from_template(template)
        if self._sound_path is None:
            return
        # First: a muxer holds packets back until all its streams have some.
        source = self._stack.enter_context(av.open(str(self._sound_path)))
        heard = source.streams.audio[0]
        sound = self._container.add_stream_from_template(heard)
        for packet in source.demux(heard):
            if packet.dts is not None:
                packet.stream = sound
                self._container.mux(packet)


def write_sound(path: Path, blocks: Iterable[np.ndarray], rate: int, channels: int, codec: str) -> None:
    """A file of sound alone, as a film has it: float32 [n, channels] blocks, encoded once."""
    with VideoWriter(path, 64, 64, 1, rate, channels, codec=codec) as video:
        video.picture(np.zeros((64, 64, 3), np.uint8))
        for block in blocks:
            video.sound(block)
