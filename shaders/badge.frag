#version 330 core
// A short notice: light letters on a dark ground that lets the canvas through.

in vec2 place;
out vec4 colour;

uniform sampler2D ink;

void main() {
    float letter = texture(ink, place).r;
    colour = vec4(vec3(letter) * 0.9, mix(0.45, 0.95, letter));
}
