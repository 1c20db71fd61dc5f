"""``python -m lavlive.training pictures|generator|evaluate|encoder|demo-track …``: how data was made."""

from __future__ import annotations

import importlib
import logging
import sys

from lavlive.errors import LavliveError, UsageError
from lavlive.link.environment import prepare_process

COMMANDS = {
    "generator": "lavlive.training.generator",
    "pictures": "lavlive.training.pictures.command",
    "compact": "lavlive.training.generator_state",
    "grade": "lavlive.training.generator_grading",
    "evaluate": "lavlive.training.generator_metrics",
    "encoder": "lavlive.training.encoder",
    "demo-track": "lavlive.training.demo_track",
}


def main(argv: list[str]) -> int:
    """Run the subcommand that ``argv`` starts with; its exit status."""
    prepare_process()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        if not argv or argv[0] not in COMMANDS:
            raise UsageError(f"say what to train: python -m lavlive.training {'|'.join(COMMANDS)} [--help]")
        try:
            module = importlib.import_module(COMMANDS[argv[0]])
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("lavlive"):
                raise
            raise UsageError(f"{error.name} is missing; try: pip install 'lavlive[train]'") from error
        return int(module.main(argv[1:]) or 0)
    except LavliveError as error:
        print(f"lavlive.training: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
