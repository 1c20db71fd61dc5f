"""A process that reads one foreign file under limits: ``python -m lavlive.generator.readers.child``.

    standard input   one JSON object: "file", "output", "memory" (bytes), "seconds" (of processor time)
    standard output  one JSON object: {"format", "config", "notes", "licence"} or {"error"}

The weights go to ``output``, a safetensors file. Whatever happens in here, a broken file costs this
process and one line of text.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from lavlive.errors import CheckpointError
from lavlive.generator.readers.recognise import read_file


def main() -> int:
    """Read the request, answer it, and return the exit status: 0 for a generator, 1 for a refusal."""
    request = json.load(sys.stdin)
    _limit(request["memory"], request["seconds"])
    answer = _answer(Path(request["file"]), Path(request["output"]))
    print(json.dumps(answer), flush=True)
    return 1 if "error" in answer else 0


def _limit(memory: int, seconds: int) -> None:
    """Bound this process's memory and processor time, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: whoever started this process watches its memory and the clock
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(path: Path, output: Path) -> dict[str, Any]:
    # A hostile pickle makes millions of small objects; looking for cycles among them costs time for nothing.
    gc.disable()
    try:
        conversion = read_file(path)
        save_file(conversion.weights, output)
    except CheckpointError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "damaged or hostile: reading it takes more memory than any StyleGAN2 file"}
    except OSError as error:
        return {"error": f"unreadable: {error.strerror or error}"}
    except Exception as error:  # the border of the process: a reader's mistake must not become a show's
        return {"error": f"damaged: {type(error).__name__}, {ascii(str(error))[:120]}"}
    return {
        "format": conversion.format,
        "config": conversion.config,
        "notes": conversion.notes,
        "licence": conversion.licence,
    }


if __name__ == "__main__":
    sys.exit(main())
