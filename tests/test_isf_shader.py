"""Shaders at work, drawn by Mesa and read back: orientation, passes, buffers, inputs, sound, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import moderngl
import numpy as np
import pytest

from lavlive.errors import ShaderError
from lavlive.parameters import Value
from lavlive.stage.canvas.isf.document import read_document
from lavlive.stage.canvas.isf.program import compiler_message
from lavlive.stage.canvas.isf.shader import Frame, Shader
from lavlive.stage.canvas.isf.sound import SoundView
from tests.support.offscreen import offscreen, pixels

SIZE = (16, 8)
Make = Callable[..., Shader]


@pytest.fixture(scope="module")
def context() -> Iterator[moderngl.Context]:
    with offscreen() as opened:
        yield opened


@pytest.fixture
def make(context: moderngl.Context, tmp_path: Path) -> Iterator[Make]:
    made: list[Shader] = []

    def shader(header: str, body: str, vertex: str | None = None) -> Shader:
        path = tmp_path / "one.fs"
        path.write_text(f"/*{header}*/\n{body}", encoding="utf-8")
        if vertex is not None:
            path.with_suffix(".vs").write_text(vertex, encoding="utf-8")
        made.append(Shader(context, read_document(path)))
        return made[-1]

    with context:
        yield shader
        for one in made:
            one.release()
    assert context.error == "GL_NO_ERROR"


def frame(
    index: int = 0,
    values: Mapping[str, Value] | None = None,
    images: Mapping[str, moderngl.Texture] | None = None,
    size: tuple[int, int] = SIZE,
    sound: SoundView | None = None,
) -> Frame:
    known = values or {}
    return Frame(size, index / 60, 1 / 60, index, (2026, 5, 4, 60.0), known.__getitem__, images or {}, sound)


def image(context: moderngl.Context, size: tuple[int, int] = SIZE) -> moderngl.Texture:
    """Red grows to the right, green upwards."""
    x, y = np.meshgrid((np.arange(size[0]) + 0.5) / size[0], (np.arange(size[1]) + 0.5) / size[1])
    data = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1).astype(np.float32)
    texture = context.texture(size, 4, data.tobytes(), dtype="f4")
    texture.repeat_x = texture.repeat_y = False
    return texture


FILTER = '{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}'


@pytest.mark.parametrize(
    "sampled",
    [
        "IMG_THIS_PIXEL(inputImage)",
        "IMG_THIS_NORM_PIXEL(inputImage)",
        "IMG_NORM_PIXEL(inputImage, isf_FragNormCoord)",
        "IMG_NORM_PIXEL(inputImage, vv_FragNormCoord.xy, 0.0)",
        "IMG_PIXEL(inputImage, gl_FragCoord.xy)",
        "IMG_PIXEL(inputImage, isf_FragNormCoord * IMG_SIZE(inputImage), -1.0)",
        "texture2D(inputImage, gl_FragCoord.xy / RENDERSIZE)",
        "texture2DRect(inputImage, gl_FragCoord.xy)",
        "texture2D(inputImage, isf_FragNormCoord * _inputImage_imgRect.zw + float(_inputImage_flip))",
        "vec4(isf_FragNormCoord, 0.0, 1.0)",
        "vec4(gl_FragCoord.xy / _inputImage_imgSize, 0.0, 1.0)",
    ],
)
def test_every_way_to_sample_stands_upright(make: Make, context: moderngl.Context, sampled: str) -> None:
    shader = make(FILTER, f"void main() {{ gl_FragColor = {sampled}; }}")
    source = image(context)
    drawn = pixels(shader.draw(frame(images={"inputImage": source})))
    np.testing.assert_allclose(drawn, pixels(source), atol=2e-3)


def test_every_pass_stands_upright_and_knows_its_size_and_number(
    make: Make, context: moderngl.Context
) -> None:
    header = (
        FILTER[:-1] + ', "PASSES": [{"TARGET": "a"}, {"TARGET": "b", "WIDTH": "$WIDTH/2", "HEIGHT": 4}, {}]}'
    )
    shader = make(
        header,
        """varying vec2 unused;
        void main() {
            if (PASSINDEX == 0) gl_FragColor = IMG_THIS_PIXEL(inputImage);
            else if (PASSINDEX == 1) gl_FragColor = vec4(IMG_THIS_PIXEL(a).rg, RENDERSIZE / 16.0);
            else gl_FragColor = vec4(IMG_THIS_PIXEL(b).rg, IMG_PIXEL(b, vec2(1.0)).b, RENDERSIZE.x / 32.0);
        }""",
        "varying vec2 unused; void main() { isf_vertShaderInit(); unused = isf_FragNormCoord; }",
    )
    drawn = pixels(shader.draw(frame(images={"inputImage": image(context)})))
    assert drawn.shape == (8, 16, 4)
    assert drawn[0, 0, 1] < 0.3 < 0.7 < drawn[-1, 0, 1]
    assert drawn[0, 0, 0] < 0.2 < 0.8 < drawn[0, -1, 0]
    np.testing.assert_allclose(drawn[..., 2:], 0.5, atol=1e-3)


@pytest.mark.parametrize("is_float", ["true", "false"])
def test_buffers_are_smooth_between_their_pixels(make: Make, is_float: str) -> None:
    header = f'{{"PASSES": [{{"TARGET": "two", "WIDTH": 2, "FLOAT": {is_float}}}, {{}}]}}'
    body = """void main() {
        if (PASSINDEX == 0) gl_FragColor = vec4(step(1.0, gl_FragCoord.x));
        else gl_FragColor = IMG_THIS_PIXEL(two);
    }"""
    drawn = pixels(make(header, body).draw(frame()))
    assert drawn[0, 7, 0] == pytest.approx(0.4375, abs=0.02)


def test_a_last_pass_with_a_target_is_still_the_output(make: Make) -> None:
    shader = make('{"PASSES": [{"TARGET": "a", "FLOAT": true}]}', "void main() { gl_FragColor = vec4(7.5); }")
    assert pixels(shader.draw(frame())).max() == 7.5


COUNTER = """void main() {
    if (PASSINDEX == 0) gl_FragColor = IMG_THIS_PIXEL(kept) + vec4(0.125);
    else gl_FragColor = IMG_THIS_PIXEL(kept);
}"""


def test_a_persistent_buffer_lives_on_through_a_change_of_size(make: Make) -> None:
    shader = make('{"PASSES": [{"TARGET": "kept", "PERSISTENT": true}, {}]}', COUNTER)
    for index in range(3):
        drawn = pixels(shader.draw(frame(index)))
    np.testing.assert_allclose(drawn, 0.375, atol=1e-4)
    drawn = pixels(shader.draw(frame(3, size=(30, 10))))
    assert drawn.shape == (10, 30, 4)
    np.testing.assert_allclose(drawn, 0.5, atol=1e-4)


def test_a_buffer_that_is_not_persistent_begins_anew(make: Make) -> None:
    shader = make('{"PASSES": [{"TARGET": "kept"}, {}]}', COUNTER)
    for index in range(3):
        drawn = pixels(shader.draw(frame(index)))
    np.testing.assert_allclose(drawn, 0.125, atol=1e-4)


def test_two_of_one_file_do_not_share_their_buffers(make: Make) -> None:
    header = '{"PASSES": [{"TARGET": "kept", "PERSISTENT": true}, {}]}'
    first, second = make(header, COUNTER), make(header, COUNTER)
    first.draw(frame(0))
    first.draw(frame(1))
    np.testing.assert_allclose(pixels(second.draw(frame(0))), 0.125, atol=1e-4)


def test_a_size_that_is_no_number_for_a_moment_leaves_the_buffer(make: Make) -> None:
    header = """{"INPUTS": [{"NAME": "n", "TYPE": "float"}], "PASSES": [{"TARGET": "kept", "PERSISTENT": true,
        "WIDTH": "8 / $n", "HEIGHT": "1e9 * $n"}, {}]}"""
    shader = make(header, COUNTER)
    shader.draw(frame(0, {"n": 0.0}))
    shader.draw(frame(1, {"n": 1e-8}))
    drawn = pixels(shader.draw(frame(2, {"n": 0.0})))
    np.testing.assert_allclose(drawn, 0.375, atol=1e-4)


def test_what_is_no_number_ends_at_the_output(make: Make) -> None:
    shader = make("{}", "void main() { gl_FragColor = vec4(0.0 / (TIME - TIME), 1e30, -5.0, 0.5); }")
    drawn = pixels(shader.draw(frame()))
    assert np.isfinite(drawn).all()
    assert drawn.min() == 0.0
    assert drawn.max() == 1.0


def test_every_kind_of_input_reaches_the_shader(make: Make) -> None:
    header = """{"INPUTS": [{"NAME": "b", "TYPE": "bool"}, {"NAME": "l", "TYPE": "long", "VALUES": [2, 4]},
        {"NAME": "f", "TYPE": "float"}, {"NAME": "p", "TYPE": "point2D"}, {"NAME": "c", "TYPE": "color"},
        {"NAME": "e", "TYPE": "event"}]}"""
    shader = make(
        header, "void main() { gl_FragColor = vec4(b ? f : 0.0, e ? c.b : 0.0, p.x / 32.0, float(l) / 8.0); }"
    )
    values: dict[str, Value] = {"b": True, "l": "4", "f": 0.25, "p.x": 0.5, "p.y": 0.0, "e": True}
    values |= {"c.r": 0.0, "c.g": 0.0, "c.b": 0.75, "c.a": 1.0}
    np.testing.assert_allclose(
        pixels(shader.draw(frame(0, values)))[0, 0], [0.25, 0.75, 0.25, 0.5], atol=1e-3
    )


def test_names_that_mean_something_else_in_new_glsl_are_free(make: Make) -> None:
    names = ["smooth", "mix", "filter", "size", "texture", "sample", "input", "round"]
    header = '{"INPUTS": [' + ",".join(f'{{"NAME": "{name}", "TYPE": "float"}}' for name in names) + "]}"
    body = """float half(float packed) { return packed * 0.5; }
    void main() {
        float output = smooth + filter + size + texture + sample + input + round; // smooth
        gl_FragColor = vec4(mix(0.0, 1.0, half(output)), mix, 0.0, 1.0);
    }"""
    shader = make(header, body)
    drawn = pixels(shader.draw(frame(0, dict.fromkeys(names, 0.125))))
    np.testing.assert_allclose(drawn[0, 0, :2], [0.4375, 0.125], atol=1e-3)


def test_old_and_new_glsl_compile(make: Make) -> None:
    old = """#version 120
    #extension GL_ARB_texture_rectangle : enable
    #ifdef GL_ES
    precision mediump float;
    #endif
    uniform float TIME;
    uniform float x;
    const float both = 0.5 * RENDERSIZE.x / RENDERSIZE.x;
    void main() { gl_FragData[0] = vec4(x * both, gl_TexCoord[0].xy, 1); }"""
    drawn = pixels(make('{"INPUTS": [{"NAME": "x", "TYPE": "float"}]}', old).draw(frame(0, {"x": 1.0})))
    assert drawn[0, 0, 0] == pytest.approx(0.5, abs=1e-3)
    new = "out vec4 shown; void main() { shown = vec4(isf_FragNormCoord, 1.0, 1.0); }"
    assert pixels(make("{}", new).draw(frame()))[0, 0, 2] == 1.0


def test_a_vertex_shader_moves_the_corners(make: Make) -> None:
    shader = make(
        "{}",
        "void main() { gl_FragColor = vec4(1.0); }",
        "void main() { isf_vertShaderInit(); gl_Position.x = gl_Position.x * 0.5 - 0.5; }",
    )
    drawn = pixels(shader.draw(frame()))
    assert drawn[:, :8].min() == 1.0


def test_time_frame_and_date(make: Make) -> None:
    shader = make(
        "{}",
        "void main() { gl_FragColor = vec4(TIME, TIMEDELTA, float(FRAMEINDEX) / 60.0, DATE.w / 120.0); }",
    )
    drawn = pixels(shader.draw(frame(30)))[3, 3]
    np.testing.assert_allclose(drawn, [0.5, 1 / 60, 0.5, 0.5], atol=1e-3)


@pytest.mark.parametrize(
    ("body", "programs"),
    [
        ("void main() { gl_FragColor = PASSINDEX == 0 ? vec4(0.5) : IMG_THIS_PIXEL(one); }", 2),
        ("void main() { gl_FragColor = vec4(1.0); }", 1),
        # What cannot be with a constant can be with a number that is told.
        (
            "float of[2];\nvoid main() { gl_FragColor = vec4(PASSINDEX < 1 ? 1.0 : of[PASSINDEX - 1]); }",
            1,
        ),
    ],
)
def test_no_pass_computes_what_another_draws(make: Make, body: str, programs: int) -> None:
    shader = make('{"PASSES": [{"TARGET": "one"}, {}]}', body)
    assert len(shader.programs) == programs
    shader.draw(frame())


def test_a_fault_names_file_line_and_reason(make: Make) -> None:
    with pytest.raises(ShaderError, match=r"one\.fs: line 4: .*undeclared") as error:
        make('{\n"INPUTS": []}', "void main() {\ngl_FragColor = vec4(nothing); }")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "log",
    [
        "GLSL Compiler failed\n\nfragment_shader\n===\n0:12(5): error: `x' undeclared\n",
        'fragment_shader\n0(12) : error C1008: undefined variable "x"\n',
        "ERROR: 0:12: 'x' : undeclared identifier\n",
    ],
    ids=["mesa", "nvidia", "others"],
)
def test_compilers_of_all_makers_are_understood(log: str) -> None:
    assert compiler_message(log).startswith("line 12: ")
    assert "x" in compiler_message(log)


def test_an_imported_image_stands_upright(make: Make, tmp_path: Path) -> None:
    from PIL import Image

    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "flag.png")
    (tmp_path / "broken.png").write_bytes(b"no image at all")
    shader = make(
        '{"IMPORTED": {"flag": {"PATH": "flag.png"}, "broken": {"PATH": "broken.png"}}}',
        "void main() { gl_FragColor = IMG_THIS_PIXEL(flag) + IMG_THIS_PIXEL(broken); }",
    )
    drawn = pixels(shader.draw(frame()))
    assert drawn[-1, 0, 0] == 1.0
    assert drawn[0, 0, 0] == 0.0
    assert any("broken.png" in note for note in shader.notes)


@pytest.mark.parametrize("rate", [24_000, 44_100, 96_000])
def test_a_sine_stands_in_its_column_at_any_sample_rate(rate: int) -> None:
    view = SoundView()
    time = np.arange(rate // 4) / rate
    view.take((0.5 * np.sin(2 * np.pi * 3000 * time)).astype(np.float32)[:, None], rate)
    view.step(1 / 60)
    for columns in (64, 256, 1024):
        spectrum = view.spectrum(columns)
        assert spectrum.shape == (2, columns)
        assert int(spectrum[0].argmax()) == pytest.approx(3000 / 22050 * columns, abs=1)
    assert spectrum[0].max() == pytest.approx(1 - 6 / 72, abs=0.03)
    loudest = spectrum.max()
    view.take(np.zeros((rate // 4, 1), np.float32), rate)
    view.step(1 / 60)
    assert 0.7 * loudest < view.spectrum(1024).max() < loudest
    view.step(5.0)
    assert view.spectrum(1024).max() < 0.01


def test_sound_reaches_the_shader_as_rows(make: Make) -> None:
    shader = make(
        '{"INPUTS": [{"NAME": "wave", "TYPE": "audio", "MAX": 32}, {"NAME": "fft", "TYPE": "audioFFT"}]}',
        "void main() { gl_FragColor = vec4(IMG_NORM_PIXEL(wave, vec2(isf_FragNormCoord.x, 0.25)).r,"
        "IMG_NORM_PIXEL(wave, vec2(0.5, 0.75)).g, IMG_SIZE(wave) / 64.0); }",
    )
    quiet = pixels(shader.draw(frame()))
    np.testing.assert_allclose(quiet[..., :2], 0.5, atol=1e-3)
    view = SoundView()
    view.take(np.stack([np.linspace(-1, 1, 4800), np.full(4800, 0.5)], axis=1).astype(np.float32), 48_000)
    heard = pixels(shader.draw(frame(1, sound=view)))
    assert heard[0, -1, 0] > heard[0, 0, 0] > 0.5
    assert heard[0, 0, 1] == pytest.approx(0.75, abs=1e-3)
    assert heard[0, 0, 2] == pytest.approx(0.5, abs=1e-3)


def test_what_stands_there_twice_word_for_word_is_taken_once(make: Make) -> None:
    body = """#define LOW 0.25
const float END = 20.;
float half_of(vec2 p) { if (p.x > 0.0) { return p.x * 0.5; } return 0.0; }
#define LOW 0.5
const float END = 20.;
float half_of(vec2 p) { if (p.x > 0.0) { return p.x * 0.5; }
 return 0.0; }
float half_of(float p) { return p * 0.5; }
void main() { gl_FragColor = vec4(half_of(vec2(1.0)), LOW, half_of(0.5), END / 20.0); }"""
    drawn = make("{}", body).draw(frame())
    np.testing.assert_allclose(pixels(drawn)[0, 0], (0.5, 0.5, 0.25, 1.0), atol=1e-4)
    with pytest.raises(ShaderError, match=r"line 3: .*half_of"):
        make("{}", "float half_of(float p) { return p; }\nfloat half_of(float p) { return 0.5 * p; }")


@pytest.mark.parametrize(
    "body",
    [
        "void main() { vec4 smooth = vec4(0.5), flat = smooth; gl_FragColor = flat; }",
        "int mod(int a, int b) { return a - b * (a / b); }\n"
        "void main() { gl_FragColor = vec4(float(mod(5, 2)) * mod(vec4(2.5), 1.0)); }",
        "float round(float a) { return floor(a + 0.5); }\n"
        "void main() { gl_FragColor = vec4(0.5 * round(0.7)) + 0.0 * vec4(round(vec2(1.0)), 0.0, 0.0); }",
    ],
)
def test_files_of_older_glsl_use_its_words_and_stand_beside_its_functions(make: Make, body: str) -> None:
    drawn = pixels(make("{}", body).draw(frame()))
    np.testing.assert_allclose(drawn, 0.5, atol=1e-4)


def test_a_mouse_of_four_numbers_was_never_pressed(make: Make) -> None:
    header = '{"INPUTS": [{"NAME": "iMouse", "TYPE": "point2D"}]}'
    body = "void main() { gl_FragColor = vec4(iMouse.x, iMouse.z + 0.25, iMouse.zw + 0.5); }"
    drawn = make(header, body).draw(frame(values={"iMouse.x": 1.0, "iMouse.y": 1.0}))
    np.testing.assert_allclose(pixels(drawn)[0, 0], (1.0, 0.25, 0.5, 0.5), atol=1e-4)
