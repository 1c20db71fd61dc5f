#version 330 core
// Contrast-adaptive sharpening, after the published description of AMD FidelityFX Super Resolution 1: as much
// as the four neighbours leave room for before anything is clipped. Five reads a pixel.

in vec2 place;
out vec4 colour;

uniform sampler2D picture;
uniform float amount; // 0 to 1

vec3 near(ivec2 here, int x, int y) {
    return texelFetch(picture, clamp(here + ivec2(x, y), ivec2(0), textureSize(picture, 0) - 1), 0).rgb;
}

void main() {
    ivec2 here = ivec2(gl_FragCoord.xy);
    vec3 own = near(here, 0, 0);
    vec3 a = near(here, -1, 0), b = near(here, 1, 0), c = near(here, 0, -1), d = near(here, 0, 1);
    vec3 least = min(min(a, b), min(c, d)), most = max(max(a, b), max(c, d));
    vec3 down = least / (4.0 * max(most, 1e-4)), up = (1.0 - most) / (4.0 * max(1.0 - least, 1e-4));
    vec3 room = min(down, up);
    float lobe = -min(min(room.r, min(room.g, room.b)), 0.1875) * amount;
    colour = vec4(clamp((own + lobe * (a + b + c + d)) / (1.0 + 4.0 * lobe), 0.0, 1.0), 1.0);
}
