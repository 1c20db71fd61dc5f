"""What every test begins with."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from lavlive.link.environment import prepare_process

prepare_process()  # as the program does, before numpy comes


@pytest.fixture(autouse=True)
def ordinary_arithmetic() -> Iterator[None]:
    """The encoder's session makes its thread flush denormals; in a test run that thread is everybody's."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of what runs on a graphics card run where there is one: `pytest -m gpu` asks for them alone."""
    wanted = [item for item in items if item.get_closest_marker("gpu")]
    if not wanted:
        return
    import torch

    if not torch.cuda.is_available():
        for item in wanted:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


# A machine that is busy with something else is no fault of what is tested.
settings.register_profile("lavlive", deadline=None, max_examples=50)
settings.load_profile("lavlive")
