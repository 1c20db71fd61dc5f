"""A receiver of NDI in a process of its own: python -m tests.support.ndi_receiver NAME PICTURES FILE.

Writes the last picture to FILE (.npy, uint8 [H, W, 3]) and, as a line of JSON, how many came and how loud the
sound was.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from lavlive.bench.received import received_by_ndi

_SECONDS = 30.0


def main(name: str, wanted: int, path: str) -> None:
    pictures, loudest, last = 0, 0.0, np.zeros((0, 0, 3), np.uint8)
    for pixels, samples in received_by_ndi(name, time.perf_counter() + _SECONDS):
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
