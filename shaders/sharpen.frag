#version 330 core
// Prefilter for the B-spline that present.frag scales with: (-a, 1 + 2a, -a) both ways.
// a = 0.2 gives back the detail that the spline takes; much more would ring.

in vec2 place;
out vec4 colour;

uniform sampler2D seen;
uniform float amount;

void main() {
    ivec2 size = textureSize(seen, 0);
    ivec2 here = ivec2(gl_FragCoord.xy);
    vec3 sum = vec3(0.0);
    for (int y = -1; y <= 1; y++) {
        for (int x = -1; x <= 1; x++) {
            float weight = (x == 0 ? 1.0 + 2.0 * amount : -amount) * (y == 0 ? 1.0 + 2.0 * amount : -amount);
            sum += weight * texelFetch(seen, clamp(here + ivec2(x, y), ivec2(0), size - 1), 0).rgb;
        }
    }
    colour = vec4(sum, 1.0);
}
