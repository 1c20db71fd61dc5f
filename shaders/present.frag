#version 330 core
// The canvas: the picture, scaled by a cubic B-spline, moved, and dimmed for blackout.
// The spline is smooth to its second derivative, so no texel's edge can be seen at any size; its
// weights are positive, so four bilinear fetches are enough.

in vec2 place;
out vec4 colour;

uniform sampler2D picture; // prefiltered by sharpen.frag
uniform vec2 extent;       // the picture's size on the canvas, in parts of the canvas
uniform float zoom;
uniform vec2 drift;
uniform float light;

vec3 spline(vec2 at) {
    vec2 size = vec2(textureSize(picture, 0));
    vec2 texel = at * size - 0.5;
    vec2 f = fract(texel);
    texel -= f;
    vec2 g = 1.0 - f;
    vec2 w0 = g * g * g / 6.0;
    vec2 w1 = (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0;
    vec2 w3 = f * f * f / 6.0;
    vec2 w2 = 1.0 - w0 - w1 - w3;
    vec2 left = w0 + w1;
    vec2 right = w2 + w3;
    vec2 a = (texel - 0.5 + w1 / left) / size;
    vec2 b = (texel + 1.5 + w3 / right) / size;
    vec3 top = texture(picture, a).rgb * left.x + texture(picture, vec2(b.x, a.y)).rgb * right.x;
    vec3 bottom = texture(picture, vec2(a.x, b.y)).rgb * left.x + texture(picture, b).rgb * right.x;
    return top * left.y + bottom * right.y;
}

void main() {
    vec2 inside = (place - 0.5) / extent;
    vec2 at = (inside - drift) / zoom + 0.5;
    bool bars = any(greaterThan(abs(inside), vec2(0.5)));
    colour = vec4(bars ? vec3(0.0) : clamp(spline(at), 0.0, 1.0) * light, 1.0);
}
