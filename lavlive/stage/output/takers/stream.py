"""Streams: RTMP and RTMPS, and MPEG-TS over UDP and SRT."""

from __future__ import annotations

from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.addresses import Stream
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.live_encoder import LiveEncoder, Sink
from lavlive.stage.output.takers.rtmp import RtmpPublisher, RtmpTarget
from lavlive.stage.output.takers.transports import DatagramTarget, SrtSender, UdpSender


class StreamTaker:
    """Encodes the canvas with the show's sound, and sends it.

    Raises:
        OutputError: it cannot be reached, or refuses.
    """

    def __init__(self, stream: Stream) -> None:
        self._sink, kind = _sink(stream)
        self._encoder = LiveEncoder(self._sink, kind, stream.settings)

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Send a canvas and the sound that came with it."""
        self._encoder.take(shot, sound)

    def hear(self, sound: list[SoundBlock]) -> None:
        """Send sound that came between canvases."""
        self._encoder.hear(sound)

    def close(self) -> None:
        """End the connection first: what the muxer would still write keeps nobody waiting then."""
        self._sink.close()
        self._encoder.close()


def _sink(stream: Stream) -> tuple[Sink, str]:
    match stream.target:
        case RtmpTarget() as target:
            return RtmpPublisher(target), "flv"
        case DatagramTarget(scheme="srt") as target:
            return SrtSender(target), "mpegts"
        case DatagramTarget() as target:
            return UdpSender(target), "mpegts"
        case _:
            raise TypeError(f"no stream of frames: {type(stream.target).__name__}")
