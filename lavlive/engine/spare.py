"""An engine that has loaded its libraries and waits: the stage keeps one, so that a restart is quick.

    python -m lavlive.engine.spare LINK     tells that it is waiting; then like lavlive.engine.engine

Most of an engine's start is the loading of libraries. A spare does it in advance, at a low priority so that
the running show does not notice, and holds no device, no model and no graphics memory.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading

import numpy  # noqa: F401  its own threads would keep the low priority of the thread that loads it

from lavlive.errors import EncoderError
from lavlive.link.environment import prepare_process
from lavlive.link.messages import Waiting, encode

_LIBRARIES = (
    "lavlive.engine.engine",
    "lavlive.encoder.onnx_graph",
    "onnxruntime",
    "openvino",
)
_LOW_PRIORITY = 15


def _load() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
    for library in _LIBRARIES:
        # What cannot be loaded here is reported by whoever needs it.
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(library)
    from lavlive.encoder.encodec_package import encodec_modules

    with contextlib.suppress(EncoderError):
        encodec_modules()


def main() -> int:
    """Entry of the process; the stage starts it."""
    prepare_process()
    loading = threading.Thread(target=_load, name="libraries")
    loading.start()
    loading.join()
    print(encode(Waiting()), flush=True)
    from lavlive.engine.engine import main as run_engine

    return run_engine()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # As in the engine: inference libraries keep threads that can hang an ordinary exit.
    os._exit(status)
