"""A receiver of NDI in a process of its own: python -m tests.support.ndi_receiver NAME PICTURES FILE.

Writes the last picture to FILE (.npy, uint8 [H, W, 3]) and, as a line of JSON, how many came and how loud the
sound was. Without a service for names on the network it looks for senders on this machine by their port, as a
file in the folder that NDI_CONFIG_DIR names tells it to.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import numpy as np
from cyndilib.audio_frame import AudioRecvFrame
from cyndilib.finder import Finder
from cyndilib.receiver import ReceiveFrameType, Receiver
from cyndilib.video_frame import VideoRecvFrame
from cyndilib.wrapper.ndi_recv import RecvBandwidth, RecvColorFormat

CONFIGURATION = '{"ndi": {"networks": {"ips": "127.0.0.1,"}}}'
_SECONDS = 30.0


def received(name: str, deadline: float) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
    """Pictures, uint8 [H, W, 3], and sound, float32 [channels, n], of a sender as they come.

    Args:
        name: a part of the sender's name.
        deadline: until when to look for it and to receive, by `time.perf_counter`.
    """
    with Finder() as finder:
        found = None
        while found is None and time.perf_counter() < deadline:
            finder.wait_for_sources(0.2)
            found = next((source for source in finder if name in source.name), None)
        assert found is not None, "no sender of that name"
        receiver = Receiver(color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest)
        picture, sound = VideoRecvFrame(), AudioRecvFrame()
        receiver.set_video_frame(picture)
        receiver.set_audio_frame(sound)
        receiver.set_source(found)
        print("found", flush=True)
        while time.perf_counter() < deadline:
            kind = receiver.receive(ReceiveFrameType.recv_video | ReceiveFrameType.recv_audio, 200)
            pixels = samples = None
            if kind & ReceiveFrameType.recv_video and picture.get_buffer_depth():
                data = np.zeros(picture.get_buffer_size(), np.uint8)
                picture.fill_p_data(data)
                width, height = picture.get_resolution()
                pixels = data.reshape(height, width, 4)[..., :3]
            if kind & ReceiveFrameType.recv_audio and sound.get_buffer_depth():
                samples, _ = sound.get_all_read_data()
            yield pixels, samples


def main(name: str, wanted: int, path: str) -> None:
    pictures, loudest, last = 0, 0.0, np.zeros((0, 0, 3), np.uint8)
    for pixels, samples in received(name, time.perf_counter() + _SECONDS):
        if pixels is not None:
            pictures, last = pictures + 1, pixels
        if samples is not None:
            loudest = max(loudest, float(np.abs(samples).max(initial=0.0)))
        if pictures >= wanted:
            break
    np.save(path, last)
    print(json.dumps({"pictures": pictures, "loudest": loudest}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
