"""What every test begins with."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings


@pytest.fixture(autouse=True)
def ordinary_arithmetic() -> Iterator[None]:
    """The encoder's session makes its thread flush denormals; in a test run that thread is everybody's."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


# A machine that is busy with something else is no fault of what is tested.
settings.register_profile("lavlive", deadline=None)
settings.load_profile("lavlive")
