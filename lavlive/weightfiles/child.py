"""Serves one reading of a foreign file under limits; the process around it has nothing else to do.

    standard input   one JSON object: "file", "output", "memory" (bytes), "seconds" (of processor time)
    standard output  one JSON object: what the reader answers, or {"error"}

The weights go to ``output``, a safetensors file. Whatever happens in here, a broken file costs this
process and one line of text.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from lavlive.errors import CheckpointError
from lavlive.weightfiles.arrays import Array

Answer = tuple[dict[str, Any], Mapping[str, Array]]


def serve(read: Callable[[Path], Answer]) -> int:
    """Read the request, answer it, and return the exit status: 0 for weights, 1 for a refusal.

    ``read`` gives what is answered and the weights. Raises CheckpointError for a file that it refuses.
    """
    request = json.load(sys.stdin)
    limit(request["memory"], request["seconds"])
    given = answer(read, Path(request["file"]), Path(request["output"]))
    print(json.dumps(given), flush=True)
    return 1 if "error" in given else 0


def limit(memory: int, seconds: int) -> None:
    """Bound this process's memory and processor time, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: whoever started this process watches its memory and the clock
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(read: Callable[[Path], Answer], path: Path, output: Path) -> dict[str, Any]:
    """What ``read`` says of ``path``, its weights written to ``output``; whatever goes wrong, in one line."""
    # A hostile pickle makes millions of small objects; looking for cycles among them costs time for nothing.
    gc.disable()
    try:
        given, weights = read(path)
        save_file(dict(weights), output)
    except CheckpointError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "damaged or hostile: reading it takes more memory than any file of its kind"}
    except OSError as error:
        return {"error": f"unreadable: {error.strerror or error}"}
    except Exception as error:  # the border of the process: a reader's mistake must not become a show's
        return {"error": f"damaged: {type(error).__name__}, {ascii(str(error))[:120]}"}
    return given
