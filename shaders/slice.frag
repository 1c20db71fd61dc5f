#version 330 core
// A slice of the canvas on its screen: soft edges, masks, gain and black, or a pattern to set it up by.

#include "srgb.glsl"

in vec2 at;
out vec4 colour;

uniform sampler2D canvas;
uniform sampler2D outline; // points of the masks: x, y, and 1 (inside) or 2 (outside) at the last of each
uniform int outlined;      // number of points
uniform vec4 area;         // left, top, width, height of the slice in the canvas
uniform vec4 soft;         // width of the edges: left, right, top, bottom
uniform float gamma;       // 0 for sRGB
uniform float gain;
uniform float black;
uniform int pattern;       // 1: a grid in place of the canvas
uniform vec2 shape;        // of the canvas: width and height in pixels
uniform vec3 marked;       // place of a mark, and whether there is one

// Two ramps that face each other sum to 1 everywhere.
float ramp(float part, float width) {
    float x = width > 0.0 ? clamp(part / width, 0.0, 1.0) : 1.0;
    return x * x * (3.0 - 2.0 * x);
}

vec3 to_light(vec3 signal) {
    return gamma > 0.0 ? pow(signal, vec3(gamma)) : linear(signal);
}

vec3 to_signal(vec3 light) {
    return gamma > 0.0 ? pow(light, vec3(1.0 / gamma)) : encode(light);
}

float seen() {
    float all = 1.0, crossed = 0.0, nearest = 1e9;
    vec2 pixel = max(fwidth(at), vec2(1e-6));
    int first = 0;
    for (int i = 0; i < outlined; i++) {
        vec3 one = texelFetch(outline, ivec2(i, 0), 0).xyz;
        bool last = one.z > 0.5;
        vec2 two = texelFetch(outline, ivec2(last ? first : i + 1, 0), 0).xy;
        if ((one.y > at.y) != (two.y > at.y) && at.x < (two.x - one.x) * (at.y - one.y) / (two.y - one.y) + one.x)
            crossed = 1.0 - crossed;
        vec2 side = (two - one.xy) / pixel, from = (at - one.xy) / pixel;
        nearest = min(nearest, length(from - side * clamp(dot(from, side) / max(dot(side, side), 1e-9), 0.0, 1.0)));
        if (last) {
            float inside = clamp(0.5 + (crossed > 0.5 ? nearest : -nearest), 0.0, 1.0);
            all *= one.z > 1.5 ? 1.0 - inside : inside;
            crossed = 0.0;
            nearest = 1e9;
            first = i + 1;
        }
    }
    return all;
}

vec3 test_pattern(vec2 place) {
    vec2 pixel = place * shape, cell = pixel / (shape.x / 16.0);
    vec2 width = fwidth(cell);
    vec2 line = smoothstep(width * 1.5, vec2(0.0), abs(fract(cell - 0.5) - 0.5));
    vec3 ground = mix(vec3(0.10, 0.10, 0.12), vec3(0.2), mod(floor(cell.x) + floor(cell.y), 2.0));
    vec3 drawn = mix(ground, vec3(0.9), max(line.x, line.y));
    vec2 middle = (at - 0.5) * 2.0;
    float wide = fwidth(length(middle)) * 2.0;
    float circle = smoothstep(wide, 0.0, abs(length(middle) - 0.9));
    vec2 thin = fwidth(middle) * 1.5;
    float cross = max(smoothstep(thin.x, 0.0, abs(middle.x)), smoothstep(thin.y, 0.0, abs(middle.y)));
    float border = max(smoothstep(thin.x * 3.0, 0.0, 1.0 - abs(middle.x)), smoothstep(thin.y * 3.0, 0.0, 1.0 - abs(middle.y)));
    drawn = mix(drawn, vec3(0.2, 0.9, 0.9), max(circle, cross));
    return mix(drawn, vec3(0.95, 0.6, 0.1), border);
}

void main() {
    vec2 place = area.xy + at * area.zw;
    vec3 signal = pattern == 1 ? test_pattern(place) : texture(canvas, place).rgb;
    float weight = ramp(at.x, soft.x) * ramp(1.0 - at.x, soft.y) * ramp(at.y, soft.z) * ramp(1.0 - at.y, soft.w);
    float lift = weight >= 1.0 ? black : 0.0;
    vec3 light = lift + (1.0 - lift) * clamp(to_light(signal) * gain * weight, 0.0, 1.0);
    signal = to_signal(light);
    if (marked.z > 0.5) {
        float far = length((at - marked.xy) / max(fwidth(at), vec2(1e-6)));
        signal = mix(signal, vec3(1.0, 0.3, 0.1), smoothstep(2.0, 0.0, abs(far - 14.0)) + smoothstep(3.0, 1.0, far));
    }
    colour = vec4(signal, seen());
}
