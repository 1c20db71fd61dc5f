"""Less than a minute of a show in which something breaks every few seconds."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from tools.robustness.soak import LONG_RUN, Resources, Soak, soak, table

pytestmark = pytest.mark.alone


def test_a_show_survives_a_fault_every_few_seconds() -> None:
    result = soak(45.0, seed=11, pause=(0.2, 0.8), arguments=["--rate", "15", "--runner", "torch"])
    print(table(result))
    assert result.violations == []
    assert sum(result.faults.values()) >= 5
    assert result.states_compared >= 1


@pytest.mark.parametrize(("lived", "violations"), [(LONG_RUN + 1.0, 1), (5.0, 0)])
def test_memory_is_judged_by_lives_that_are_long_enough(lived: float, violations: int) -> None:
    """A stage that was killed and has just begun again fills its caches: no growth of a show."""
    now = time.perf_counter()
    rig: Any = SimpleNamespace(stage=SimpleNamespace(listeners=[]))
    run = Soak(rig, 0, 5.0, [], (0.0, 1.0))
    run.result.seconds = 2 * LONG_RUN
    run.result.stage = Resources(now - lived)
    for second in range(5):
        run.result.stage.times.append(now + second)
        run.result.stage.megabytes.append(160.0 + second)
        run.result.stage.files.append(10)
        run.result.stage.threads.append(10)
    run._judge()
    assert len(run.result.violations) == violations
