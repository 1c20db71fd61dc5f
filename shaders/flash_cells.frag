#version 330 core
// Mean linear light of each cell of the flash limiter's grid.

in vec2 place;
out vec4 colour;

uniform sampler2D canvas;

const int SAMPLES = 8;

#include "srgb.glsl"

void main() {
    vec2 cell = vec2(dFdx(place.x), dFdy(place.y));
    vec3 sum = vec3(0.0);
    for (int y = 0; y < SAMPLES; y++) {
        for (int x = 0; x < SAMPLES; x++) {
            vec2 at = place + cell * ((vec2(x, y) + 0.5) / float(SAMPLES) - 0.5);
            sum += linear(texture(canvas, at).rgb);
        }
    }
    colour = vec4(sum / float(SAMPLES * SAMPLES), 1.0);
}
