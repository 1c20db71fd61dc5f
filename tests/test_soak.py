"""A minute of a show in which something breaks every few seconds."""

from __future__ import annotations

from tests.soak import soak, table


def test_a_show_survives_a_minute_of_faults() -> None:
    result = soak(60.0, seed=11, arguments=["--rate", "15", "--runner", "torch"])
    print(table(result))
    assert result.violations == []
    assert sum(result.faults.values()) >= 5
    assert result.states_compared >= 1
