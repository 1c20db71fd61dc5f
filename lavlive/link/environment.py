"""What a process of lavlive settles before it imports numpy or an inference library.

Only a process's entry point calls this: the program, the engine, a worker, or a function of the library.
Importing lavlive changes nothing in the process that imports it.
"""

from __future__ import annotations

import contextlib
import locale
import os
import re
import sys
from typing import Any, cast


def prepare_process() -> None:
    """Settle it for this process and those that it starts; what is settled already is left as it is."""
    # OpenVINO and ONNX Runtime report over the network that they are used, OpenVINO from a forked copy of the
    # process. A show does neither. Both have to know before they are imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    cast(dict[str, Any], sys.modules).setdefault("openvino_telemetry", None)
    # Our products of matrices in numpy are small. OpenBLAS would share them among threads that then wait
    # actively for the next one, tens of milliseconds long: at 75 hops a second a whole core would do nothing
    # else. It has to know before numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.platform.startswith("linux") and os.environ.get("XDG_SESSION_TYPE") == "wayland":
        # GLFW may speak X11 here; PyOpenGL must then do so too, and asks when it is imported.
        os.environ.setdefault("PYOPENGL_PLATFORM", "x11")
    _take_capital_i_for_i()


def _take_capital_i_for_i() -> None:
    """Leave Turkish and its kin to people: there "EXPLICIT" is not "explicit" in other letters.

    OpenVINO compares names by the computer's language and would refuse its own. Any other language stays.
    """
    for plain in ("C.UTF-8", "C"):
        if re.fullmatch(b"i", b"I", re.IGNORECASE | re.LOCALE):
            return
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, plain)
