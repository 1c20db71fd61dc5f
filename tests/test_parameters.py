"""The one table, and the values that are checked against it."""

import contextlib
import math
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.errors import ParameterError
from lavlive.parameters import (
    INDEX,
    TABLE,
    Glide,
    Parameter,
    ParameterKind,
    Values,
    find,
    joined,
    reference,
)


def test_an_end_of_a_range_can_be_typed_as_the_reference_prints_it() -> None:
    coarse = find("smoothing.coarse")
    assert coarse.check("0.0133") == coarse.low
    with pytest.raises(ParameterError):
        coarse.check("0.0132")


def test_every_default_is_inside_its_own_range() -> None:
    for parameter in TABLE:
        assert parameter.check(parameter.default) == parameter.default


@given(st.sampled_from(TABLE), st.floats(0, 1))
def test_positions_and_values_agree(parameter: Parameter, position: float) -> None:
    value = parameter.from_unit(position)
    assert parameter.check(value) == value
    if parameter.kind is ParameterKind.CONTINUOUS:
        assert parameter.to_unit(value) == pytest.approx(position, abs=1e-6)


@given(st.sampled_from(TABLE), st.floats() | st.text(max_size=5) | st.none() | st.integers())
def test_nothing_outside_the_range_is_ever_stored(parameter: Parameter, value: object) -> None:
    values = Values()
    with contextlib.suppress(ParameterError):
        values.set(parameter.name, value)
    number = values.number(parameter.name)
    assert math.isfinite(number)
    assert parameter.low <= number <= parameter.high


@pytest.mark.parametrize("value", [-1e300, -3, 4.0001, 10**400, -(10**400)])
def test_what_surfaces_and_files_send_out_of_range_is_held_at_the_nearest_end(value: float) -> None:
    parameter = find("mapper.y")
    assert parameter.hold(value) == (0.0 if value < 0 else 4.0, True)
    assert isinstance(parameter.hold(value)[0], float)
    assert parameter.hold(2) == (2.0, False)
    assert find("projection.seed").hold(value * 10_000) == (0 if value < 0 else 9999, True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, None, [1], "loud"])
def test_what_is_no_number_is_not_held_but_refused(value: object) -> None:
    with pytest.raises(ParameterError):
        find("mapper.y").hold(value)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"did you mean mapper\.y"):
        find("maper.y")


@pytest.mark.parametrize(
    ("name", "value"),
    [("mapper.y", "9"), ("mapper.y", "nan"), ("mapper.y", "loud"), ("show.scaling", "huge")],
)
def test_bad_settings_are_refused_with_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(ParameterError):
        Values({name: value})


def test_settings_are_read_as_typed() -> None:
    values = Values({"mapper.y": "1.5", "show.freeze": "on", "projection.kind": "orthogonal"})
    assert (values["mapper.y"], values["show.freeze"], values["projection.kind"]) == (1.5, True, "orthogonal")


def test_an_update_with_one_bad_value_stores_none() -> None:
    values = Values()
    with pytest.raises(ParameterError):
        values.update({"mapper.y": 3.0, "mapper.c": 7})
    assert values["mapper.y"] == find("mapper.y").default


def test_gliding_is_smooth_and_ends_exactly_at_the_target() -> None:
    glide, values = Glide(0.05), Values()
    start = glide.step(values.numbers, 1 / 75).copy()
    assert np.array_equal(start, values.numbers)
    values.set("mapper.y", 4)
    values.set("projection.seed", 9)
    steps = [glide.step(values.numbers, 1 / 75).copy() for _ in range(30)]
    y = [step[INDEX["mapper.y"]] for step in steps]
    assert y == sorted(y)
    assert 1 < y[0] < 4
    assert y[4] > 3.8
    assert steps[-1].tolist() == values.numbers.tolist()
    assert steps[0][INDEX["projection.seed"]] == 9


def test_the_reference_lists_every_parameter_with_its_range() -> None:
    text = reference()
    for parameter in TABLE:
        assert f"| {parameter.name} |" in text


class OneMore:
    """One parameter that is loaded at run time."""

    def __init__(self, high: float) -> None:
        self._row = Parameter("fx1.glow.much", 0.0, 0, high, "", "how much")

    def find(self, name: str) -> Parameter | None:
        return self._row if name == self._row.name else None

    def present(self, value_of: object) -> list[Parameter]:
        return [self._row]


def test_two_shows_in_one_process_have_each_its_own_loaded_parameters_and_leave_nothing_behind() -> None:
    def other_show() -> float:
        with joined(OneMore(5.0)):
            return find("fx1.glow.much").high

    with ThreadPoolExecutor(1) as pool:
        with joined(OneMore(2.0)):
            values = Values({"fx1.glow.much": 1.5})
            assert pool.submit(other_show).result(30) == 5.0
            assert pool.submit(copy_context().run, lambda: find("fx1.glow.much").high).result(30) == 2.0
            assert (values["fx1.glow.much"], find("fx1.glow.much").high) == (1.5, 2.0)
            with pytest.raises(ParameterError):
                pool.submit(find, "fx1.glow.much").result(30)
        with pytest.raises(ParameterError):
            find("fx1.glow.much")
