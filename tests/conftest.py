"""What every test begins with."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def ordinary_arithmetic() -> Iterator[None]:
    """The encoder's session makes its thread flush denormals; in a test run that thread is everybody's."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
