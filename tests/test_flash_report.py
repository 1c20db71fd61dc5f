"""The report on flashes, on a few seconds of the bundled models' own pictures."""

from __future__ import annotations

from pathlib import Path

from lavlive.resources import shipped
from tools.robustness.flash_report import ALLOWED, MOST_DIFFERENCE, Bench, write_drums


def test_a_hostile_look_is_held_and_the_demo_passes(tmp_path: Path) -> None:
    bench = Bench(None, "bundled", "torch")
    write_drums(tmp_path / "drums.wav", 8.0, 4.0)
    hostile = bench.hostile(tmp_path / "drums.wav", 2.0, 20.0, None, tmp_path)
    ordinary = bench.ordinary(shipped("data") / "demo.ogg", 2.0, 20.0)
    bench.model.close()
    after = hostile.areas_after
    assert max(after.general, after.red) <= ALLOWED
    assert hostile.areas_before.general > 0
    assert hostile.held_share > 0 or hostile.areas_before.general <= ALLOWED
    assert ordinary.mean < MOST_DIFFERENCE
