#version 330 core
// What a slot of the rack gives on: the shader's picture laid over what came in.

in vec2 place;
out vec4 colour;

uniform sampler2D below;
uniform sampler2D above;
uniform float amount; // 0 = what came in, 1 = all of the shader
uniform int blend;    // as BLENDS in slots.py
uniform bool layer;   // lies over what came in where it is transparent; else black shows through

float light(vec3 encoded) {
    return dot(encoded, vec3(0.2126, 0.7152, 0.0722));
}

vec3 blended(vec3 a, vec3 b) {
    switch (blend) {
        case 1: return a + b;
        case 2: return 1.0 - (1.0 - a) * (1.0 - b);
        case 3: return a * b;
        case 4: return max(a, b);
        case 5: return min(a, b);
        case 6: return abs(a - b);
        case 7: return mix(2.0 * a * b, 1.0 - 2.0 * (1.0 - a) * (1.0 - b), step(0.5, b));
        case 8: return mix(a, b, smoothstep(0.08, 0.45, light(b)));
        case 9: return b * light(a);
    }
    return a;
}

void main() {
    vec3 under = texture(below, place).rgb;
    vec4 over = texture(above, place);
    vec3 laid = blended(over.rgb, under);
    laid = blend == 0 && !layer ? laid * over.a : mix(under, laid, over.a);
    colour = vec4(clamp(mix(under, laid, amount), 0.0, 1.0), 1.0);
}
