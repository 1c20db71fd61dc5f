#version 330 core
// What is seen now, in the picture's own resolution: between what was seen before and the newest picture.

in vec2 place;
out vec4 colour;

uniform sampler2D before;
uniform sampler2D newest;
uniform float position; // 0 = before, 1 = newest

void main() {
    colour = vec4(mix(texture(before, place).rgb, texture(newest, place).rgb, position), 1.0);
}
