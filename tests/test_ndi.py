"""NDI: another process finds the canvas on the network and receives it, with its sound."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from lavlive.errors import OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers import ndi
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.ndi import NdiTaker
from tests.support.waiting import end, wait_until

ROOT = Path(__file__).parents[1]


def canvas_of(width: int, height: int) -> np.ndarray:
    """A real picture of a bundled generator, enlarged as the canvas enlarges pictures.

    NDI halves the colours' width: sharp edges of one colour alone, as no generator makes them, come to 36 dB.
    """
    with av.open(str(ROOT / "docs" / "generators" / "silk-music.jpg")) as sheet:
        frame = next(sheet.decode(video=0))
    tile = frame.to_ndarray(format="rgb24")[8:72, 8:120]
    enlarged = av.VideoFrame.from_ndarray(np.ascontiguousarray(tile), "rgb24")
    return np.asarray(enlarged.reformat(width, height, interpolation="BICUBIC").to_ndarray(format="rgb24"))


def psnr(one: np.ndarray, two: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - two.astype(float)) ** 2)))


def test_another_process_receives_the_canvas_and_its_sound(tmp_path: Path) -> None:
    pytest.importorskip("cyndilib")
    if sys.platform != "linux":
        pytest.skip("the receiver's set-up was tried on Linux only")
    from lavlive.bench.received import NDI_HERE

    (tmp_path / "ndi-config.v1.json").write_text(NDI_HERE)
    name, canvas = f"lavlive {secrets.token_hex(3)}", canvas_of(640, 360)
    taker = NdiTaker(name)
    tone = 0.5 * np.sin(np.arange(1600) * 0.05)[:, None].repeat(2, axis=1).astype(np.float32)
    taker.take(Shot(canvas_of(64, 36), 0.0), [])  # of another size: it follows the canvas
    taker.take(Shot(canvas, 0.0), [])
    receiver = subprocess.Popen(
        [sys.executable, "-m", "tests.support.ndi_receiver", name, "8", str(tmp_path / "last.npy")],
        cwd=ROOT,
        env=os.environ | {"NDI_CONFIG_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(
            lambda: receiver.poll() is not None,
            40.0,
            meanwhile=lambda: taker.take(Shot(canvas, 0.0), [SoundBlock(tone, 0.0)]) or time.sleep(0.02),
        )
    finally:
        end(receiver)
    assert receiver.stdout is not None
    told = json.loads(receiver.stdout.read().splitlines()[-1])
    receiver.stdout.close()
    taker.close()
    assert told["pictures"] == 8
    assert told["loudest"] == pytest.approx(0.5, abs=0.05)
    likeness = psnr(np.load(tmp_path / "last.npy"), canvas)
    assert likeness >= 40.0


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyndilib", None)
    monkeypatch.setitem(sys.modules, "cyndilib.audio_frame", None)
    with pytest.raises(OutputMissingError, match=r"pip install 'lavlive\[ndi\]'"):
        NdiTaker("lavlive")


def test_sound_is_sent_with_its_picture_and_not_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, float]] = []
    clock = [100.0]

    class Sender:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def write_video(self, data: np.ndarray) -> None:
            clock[0] += 0.03  # compressing
            pixels.append(data)
            sent.append(("picture", clock[0]))

        def write_audio(self, samples: np.ndarray) -> None:
            sent.append(("clap" if samples.max() > 0.5 else "quiet", clock[0]))

        def __getattr__(self, _: str) -> Any:
            return lambda *_: None

    pixels: list[np.ndarray] = []
    frame = type("Frame", (), {"__getattr__": lambda *_: lambda *_: None})
    names = SimpleNamespace(
        VideoSendFrame=frame, AudioSendFrame=frame, Sender=Sender, FourCC=SimpleNamespace(RGBX=0)
    )
    monkeypatch.setattr(ndi, "_library", lambda: names)
    taker = NdiTaker("lavlive", now=lambda: clock[0])
    canvas = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    flash, given = 100.3, 100.0
    for number in range(15):
        shown = 100.0 + number / 30
        clock[0] = shown + 0.02  # read back
        taker.take(Shot(canvas, shown), [])
        clock[0] = shown + 0.055
        until = shown + 0.1  # sound comes before it is due
        times = given + np.arange(round((until - given) * 48_000)) / 48_000
        given = until
        clap = np.where((times >= flash) & (times < flash + 0.02), 0.8, 0.0).astype(np.float32)
        taker.hear([SoundBlock(np.repeat(clap[:, None], 2, axis=1), float(times[0]))])
    clap_at = next(at for kind, at in sent if kind == "clap")
    seen = [at for kind, at in sent if kind == "picture"][9]
    assert abs(clap_at - seen) < 0.034
    assert pixels[0].reshape(6, 5, 4)[..., :3].tolist() == canvas.tolist()
