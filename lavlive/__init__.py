"""lavlive: sound-driven StyleGAN2 pictures, live."""

import os
import sys
from typing import Any, cast

__version__ = "0.1.0"

# OpenVINO and ONNX Runtime report over the network that they are used, OpenVINO from a forked copy of the
# process. A show does neither. Both have to know before they are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
cast(dict[str, Any], sys.modules).setdefault("openvino_telemetry", None)

# Our products of matrices in numpy are small. OpenBLAS would share them among threads that then wait actively
# for the next one, tens of milliseconds long: at 75 hops a second a whole core would do nothing else. It has
# to know before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
