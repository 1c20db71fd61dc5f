#version 330 core
// What the flash limiter lets through: part of the way, in linear light, from the canvas shown last.

in vec2 place;
out vec4 colour;

uniform sampler2D shown;
uniform sampler2D wanted;
uniform float factor;

#include "srgb.glsl"

void main() {
    colour = vec4(encode(mix(linear(texture(shown, place).rgb), linear(texture(wanted, place).rgb), factor)), 1.0);
}
