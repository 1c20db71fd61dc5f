"""ISF files as they are found: headers, inputs, passes and sizes; no OpenGL."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavlive.errors import ShaderError
from lavlive.parameters import ParameterKind
from lavlive.stage.canvas.isf.document import Document, ShaderKind, read_document
from lavlive.stage.canvas.isf.expressions import parse_expression
from lavlive.stage.canvas.isf.header import read_header
from lavlive.stage.canvas.isf.inputs import read_input

BODY = "void main() { gl_FragColor = vec4(1.0); }"


def document(folder: Path, header: str, body: str = BODY, name: str = "one.fs") -> Document:
    (folder / name).write_text(f"/*{header}*/\n{body}", encoding="utf-8")
    return read_document(folder / name)


def test_a_header_may_have_what_json_forbids() -> None:
    header, code = read_header(
        '/* made by hand\r\n{ // a word\n \'ISFVSN\' : "2",, "INPUTS": [ {"NAME" "x"},\n'.replace(
            '"NAME" "x"', 'NAME: "x", MIN: .5, MAX: 1., DEFAULT: +0.7f, "LABEL": "two\nlines"'
        )
        + "], \"CATEGORIES\": ['a' 'b'], } trailing words */\nvoid main() {}"
    )
    assert header["ISFVSN"] == "2"
    assert header["INPUTS"] == [{"NAME": "x", "MIN": 0.5, "MAX": 1.0, "DEFAULT": 0.7, "LABEL": "two\nlines"}]
    assert header["CATEGORIES"] == ["a", "b"]
    assert code.strip() == "void main() {}"


def test_the_header_may_follow_a_comment_and_lines_keep_their_numbers() -> None:
    text = '/* a licence {see below} */\n/*{\n"INPUTS": [],\n"DESCRIPTION": "a */ b"\n}*/\nhere'
    _, code = read_header(text)
    assert code.split("\n").index("here") == 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("void main() {}", "no ISF header"),
        ('/*{"INPUTS": [}*/', "line 1"),
        ('/*{\n"INPUTS": [{"NAME": "a"\n', "line 3"),
        ("/*{" + "[" * 200, "line 1"),
        ("/*" + '{"a":' * 200 + "*/", "deeper"),
    ],
)
def test_a_broken_header_is_one_line_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(ShaderError, match=reason) as error:
        read_header(text)
    assert "\n" not in str(error.value)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="{}[]\":,'/*\\ abcINPUTS01.-\n", max_size=80))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    problem = ""
    try:
        read_header("/*" + text)
    except ShaderError as error:
        problem = str(error)
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("floor($WIDTH/4.0)", 160.0),
        ("$WIDTH", 640.0),
        ("max(floor($WIDTH*0.25),1.0)", 160.0),
        ("2 + 3 * 4 - 6 / 2", 11.0),
        ("-(2 - 5) ^ 2", -9.0),
        ("min(8, 2, 5) * round(1.5)", 4.0),
        ("$size * 2", 3.0),
        (512, 512.0),
        ("ceil(.2)", 1.0),
    ],
)
def test_sizes_are_computed(written: object, value: float) -> None:
    numbers = {"WIDTH": 640.0, "HEIGHT": 360.0, "size": 1.5}
    assert parse_expression(written, frozenset(numbers)).at(numbers) == value


@pytest.mark.parametrize(
    "written",
    ["__import__('os')", "$WIDTH.real", "open(1)", "1 +", "(", "$nothing", "", None, "9" * 2000, "(" * 400],
)
def test_what_is_no_arithmetic_is_refused(written: object) -> None:
    with pytest.raises(ShaderError, match="size"):
        parse_expression(written, frozenset({"WIDTH"}))


def test_a_size_without_a_value_is_no_number() -> None:
    assert math.isnan(parse_expression("1 / ($WIDTH - 4)", frozenset({"WIDTH"})).at({"WIDTH": 4.0}))
    assert math.isnan(parse_expression("sqrt(0-1)", frozenset()).at({}))
    assert math.isnan(parse_expression("10 ^ 10 ^ 10", frozenset()).at({}))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"DEFAULT": 0.5, "MIN": 0.0, "MAX": 2.0}, (0.5, 0.0, 2.0)),
        ({"DEFAULT": 0.5, "MIN": 2.0, "MAX": 0.0}, (0.5, 0.0, 2.0)),
        ({"DEFAULT": 5.0}, (5.0, 0.0, 5.0)),
        ({"DEFAULT": -3.0}, (-3.0, -3.0, -2.0)),
        ({"MAX": 4.0}, (0.0, 0.0, 4.0)),
        ({"MIN": 3.0, "MAX": 3.0}, (3.0, 3.0, 4.0)),
        ({"DEFAULT": 9.0, "MIN": 0.0, "MAX": 1.0}, (1.0, 0.0, 1.0)),
        ({"DEFAULT": True, "MIN": "0.5"}, (1.0, 0.5, 1.5)),
        ({"DEFAULT": math.nan, "MIN": math.inf}, (0.0, 0.0, 1.0)),
        ({"MAX": -1.0}, (-1.0, -2.0, -1.0)),
    ],
)
def test_a_range_that_lacks_an_end_or_is_turned_round_is_mended(
    table: dict[str, float], expected: tuple[float, float, float]
) -> None:
    one = read_input({"NAME": "x", "TYPE": "float", **table})
    assert (one.default[0], one.low[0], one.high[0]) == expected
    (parameter,) = one.parameters("fx1")
    assert parameter.low <= parameter.number(parameter.default) <= parameter.high


def test_a_long_takes_its_values_and_a_default_outside_them_is_the_first() -> None:
    one = read_input(
        {"NAME": "n", "TYPE": "long", "VALUES": [3.0, 7.0, 9.0], "LABELS": ["a", "b", "b"], "DEFAULT": 8.0}
    )
    (parameter,) = one.parameters("gen")
    assert parameter.kind is ParameterKind.CHOICE
    assert parameter.choices == ("a", "b 7", "b 9")
    assert parameter.default == "a"
    assert one.uniform(lambda _: "b 9", (1, 1)) == 9
    assert one.uniform(lambda _: "gone", (1, 1)) == 3


def test_points_and_colours_have_a_parameter_for_each_number() -> None:
    point = read_input({"NAME": "p", "TYPE": "point2D", "DEFAULT": [0.25, 0.5], "MIN": [0.0, 0.0]})
    assert [p.name for p in point.parameters("fx2")] == ["fx2.p.x", "fx2.p.y"]
    anywhere = read_input({"NAME": "p", "TYPE": "point2D"})
    assert anywhere.uniform(lambda name: 0.5, (640, 360)) == (320.0, 180.0)
    colour = read_input({"NAME": "c", "TYPE": "color", "DEFAULT": [1.0, 2.0, 0.5]})
    assert [p.default for p in colour.parameters("fx2")] == [1.0, 1.0, 0.5, 1.0]


def test_inputs_that_cannot_be_are_left_out_with_a_note_each(tmp_path: Path) -> None:
    read = document(
        tmp_path,
        '{"INPUTS": [{"NAME": "a b", "TYPE": "float"}, {"NAME": "x", "TYPE": "float"}, {"TYPE": "float"},'
        '{"NAME": "x", "TYPE": "bool"}, {"NAME": "y", "TYPE": "wheel"}, "nonsense"]}',
    )
    assert [one.name for one in read.inputs] == ["x"]
    assert len(read.notes) == 5
    assert all(note.startswith("one.fs: ") and "\n" not in note for note in read.notes)


def test_a_hundred_inputs_are_all_there(tmp_path: Path) -> None:
    inputs = ",".join(f'{{"NAME": "v{n}", "TYPE": "float"}}' for n in range(100))
    assert len(document(tmp_path, f'{{"INPUTS": [{inputs}]}}').parameters("fx1")) == 100


def test_the_kind_follows_from_the_images(tmp_path: Path) -> None:
    image = '{"NAME": "%s", "TYPE": "image"}'
    assert document(tmp_path, '{"INPUTS": []}').kind is ShaderKind.GENERATOR
    assert document(tmp_path, f'{{"INPUTS": [{image % "inputImage"}]}}').kind is ShaderKind.FILTER
    both = ",".join([image % "startImage", image % "endImage", '{"NAME": "progress", "TYPE": "float"}'])
    assert document(tmp_path, f'{{"INPUTS": [{both}]}}').kind is ShaderKind.TRANSITION


def test_passes_of_both_versions(tmp_path: Path) -> None:
    second = document(
        tmp_path, '{"PASSES": [{"target": "a", "persistent": 1, "FLOAT": "true", "WIDTH": "$WIDTH/2"}, {}]}'
    ).passes
    assert (second[0].target, second[0].persistent, second[0].is_float) == ("a", True, True)
    assert second[1].target is None
    first = document(
        tmp_path,
        '{"PERSISTENT_BUFFERS": {"a": {"WIDTH": 8, "FLOAT": true}},'
        '"PASSES": [{"TARGET": "a"}, {"TARGET": "b"}]}',
    ).passes
    assert first[0].persistent
    assert first[0].is_float
    assert first[0].width is not None
    assert not first[1].persistent
    assert (
        document(tmp_path, '{"PERSISTENT_BUFFERS": ["b"], "PASSES": [{"TARGET": "b"}]}').passes[0].persistent
    )


@pytest.mark.parametrize("side", ["0", "1e9", "1/0", "nan", "-4", "sqrt(0-1)"])
def test_a_pass_that_could_never_be_drawn_is_refused(tmp_path: Path, side: str) -> None:
    with pytest.raises(ShaderError, match=r"one\.fs: .*(pixels|size)"):
        document(tmp_path, f'{{"PASSES": [{{"TARGET": "a", "WIDTH": "{side}"}}]}}')


def test_images_come_from_the_own_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "shaders"
    folder.mkdir()
    (folder / "in.png").write_bytes(b"x")
    (tmp_path / "out.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "out.png")
    read = document(
        folder,
        '{"IMPORTED": [{"NAME": "a", "PATH": "in.png"}, {"NAME": "b", "PATH": "../out.png"},'
        '{"NAME": "c", "PATH": "/etc/passwd"}, {"NAME": "d", "PATH": "no.png"},'
        '{"NAME": "e", "PATH": "link.png"}]}',
    )
    assert [image.paths[0] is not None for image in read.imported] == [True, False, False, False, False]
    assert len(read.notes) == 4
    named = document(folder, '{"IMPORTED": {"a": {"PATH": "in.png"}}}')
    assert named.imported[0].name == "a"


def test_what_is_no_shader_is_refused_in_one_line(tmp_path: Path) -> None:
    large, binary, latin = tmp_path / "large.fs", tmp_path / "binary.fs", tmp_path / "latin.fs"
    large.write_bytes(b"/*{}*/" + b" " * 5_000_000)
    binary.write_bytes(b"/*{\0}*/")
    latin.write_bytes(b'/*{"CREDIT": "Andr\xe9"}*/\r\rvoid main() {}')
    for path, reason in (
        (large, "5.0 MB"),
        (binary, "not text"),
        (tmp_path, "not a file"),
        (tmp_path / "no", "file"),
    ):
        with pytest.raises(ShaderError, match=reason) as error:
            read_document(path)
        assert "\n" not in str(error.value)
    read = read_document(latin)
    assert read.credit == "André"
    assert read.fragment.split("\n")[2] == "void main() {}"
