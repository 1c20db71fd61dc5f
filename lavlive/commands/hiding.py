"""Keeps what was typed, where it holds a secret, out of the list of processes."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable
from pathlib import Path

_BEGIN, _END = 45, 46
"""Places of arg_start and arg_end in /proc/self/stat, counted behind the program's name."""


def hide_from_processes(secrets: Iterable[str]) -> bool:
    """Overwrite secrets in this process's arguments, as ``ps`` shows them; False where that cannot be.

    Linux only: there a process may write over its own. Whoever looked in the first moment has seen them all
    the same, and so has the shell's history: a file or the environment is better.
    """
    hidden = [secret.encode() for secret in secrets if secret]
    if not hidden:
        return True
    if not sys.platform.startswith("linux"):
        return False
    try:
        # The name stands in brackets and may itself hold spaces and brackets.
        fields = Path("/proc/self/stat").read_text("latin-1").rpartition(")")[2].split()
        begin, end = int(fields[_BEGIN]), int(fields[_END])
        arguments = Path("/proc/self/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return False
    if len(arguments) != end - begin:
        return False
    for secret in hidden:
        at = arguments.find(secret)
        while at >= 0:
            ctypes.memset(begin + at, ord("x"), len(secret))
            at = arguments.find(secret, at + 1)
    return True
