#version 330 core
// What the flash limiter lets through: part of the way, in linear light, from the canvas shown last.

in vec2 place;
out vec4 colour;

uniform sampler2D shown;
uniform sampler2D wanted;
uniform float factor;

vec3 linear(vec3 encoded) {
    return mix(encoded / 12.92, pow((encoded + 0.055) / 1.055, vec3(2.4)), greaterThan(encoded, vec3(0.04045)));
}

vec3 encode(vec3 light) {
    return mix(light * 12.92, 1.055 * pow(light, vec3(1.0 / 2.4)) - 0.055, greaterThan(light, vec3(0.0031308)));
}

void main() {
    colour = vec4(encode(mix(linear(texture(shown, place).rgb), linear(texture(wanted, place).rgb), factor)), 1.0);
}
