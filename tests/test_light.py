"""The sRGB curve: Python's and the shaders' are the same."""

from __future__ import annotations

import numpy as np
import pytest

from lavlive.light import OF_BYTES, to_encoded, to_linear
from lavlive.stage.canvas.shader_text import shader_text
from lavlive.stage.output.base import OutputSettings
from tests.support.xvfb import display

__all__ = ["display"]

_RAMP = """#version 330 core
in vec2 place;
out vec4 colour;
#include "srgb.glsl"
void main() {
    vec3 value = vec3(gl_FragCoord.x - 0.5) / 1023.0;
    colour = vec4(linear(value).r, encode(value).r, encode(linear(value)).r, 1.0);
}
"""


def test_the_curve_has_the_values_of_the_standard() -> None:
    # IEC 61966-2-1: 0.5 is 0.2140 of the light, and the two pieces meet at 0.04045.
    assert OF_BYTES[255] == 1.0
    assert to_linear(np.array([0.5]))[0] == pytest.approx(0.21404, abs=1e-4)
    assert to_encoded(np.array([0.21404]))[0] == pytest.approx(0.5, abs=1e-4)
    assert to_encoded(np.array([0.0031308]))[0] == pytest.approx(0.04045, abs=1e-5)


@pytest.mark.usefixtures("display")
def test_python_and_the_shaders_agree() -> None:
    from lavlive.stage.output.window import WindowOutput

    with WindowOutput(OutputSettings(64, 64, vsync=False, visible=False)) as window:
        window.make_current()
        context = window.context
        include = shader_text("srgb.glsl")
        program = context.program(
            vertex_shader=shader_text("present.vert"),
            fragment_shader=_RAMP.replace('#include "srgb.glsl"', include),
        )
        if "upright" in program:
            program["upright"] = 0.0
        texture = context.texture((1024, 1), 4, dtype="f4")
        target = context.framebuffer([texture])
        target.use()
        context.vertex_array(program, []).render(mode=4, vertices=3)
        drawn = np.frombuffer(target.read(components=3, dtype="f4"), np.float32).reshape(1024, 3)
    ramp = np.arange(1024) / 1023
    exact = np.where(ramp <= 0.04045, ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)
    assert np.abs(drawn[:, 0] - exact).max() < 1e-5
    assert np.abs(drawn[:, 0] - to_linear(ramp)).max() < 3e-4, "a table of 4096 steps"
    assert np.abs(drawn[:, 1] - to_encoded(ramp)).max() < 1e-5
    assert np.abs(drawn[:, 2] - ramp).max() < 1e-5


def test_no_shader_has_a_curve_of_its_own() -> None:
    from lavlive.resources import shipped

    own = [path.name for path in sorted(shipped("shaders").glob("*.frag")) if "12.92" in path.read_text()]
    assert own == []
    assert "vec3 linear(" in shader_text("flash_mix.frag")
