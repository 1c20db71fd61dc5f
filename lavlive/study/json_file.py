"""JSON that any reader takes."""

from __future__ import annotations

import json
import math
from pathlib import Path


def write_json(path: Path, value: object) -> None:
    """Write dicts, lists, numbers and text; what is not a finite number becomes null."""
    path.write_text(json.dumps(_plain(value), ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(item: object) -> object:
    if isinstance(item, dict):
        return {str(key): _plain(one) for key, one in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(one) for one in item]
    if isinstance(item, float) and not math.isfinite(item):
        return None
    return item
