#version 330 core
// Twice the size, along edges rather than across them, after the published description of edge-adaptive
// upsampling in AMD FidelityFX Super Resolution 1: each pixel is made of the twelve around it, weighted by a
// Lanczos-like bell that is stretched along the local edge and narrowed across it, and stays between the
// four nearest, so that nothing rings. Twelve reads a pixel.

in vec2 place;
out vec4 colour;

uniform sampler2D picture;

const ivec2 AROUND[12] = ivec2[12]( // 0 is the upper left of the four nearest
    ivec2(0, 0), ivec2(1, 0), ivec2(0, 1), ivec2(1, 1),
    ivec2(0, -1), ivec2(1, -1), ivec2(-1, 0), ivec2(2, 0),
    ivec2(-1, 1), ivec2(2, 1), ivec2(0, 2), ivec2(1, 2));

float light(vec3 c) { return dot(c, vec3(0.25, 0.5, 0.25)); }

// How much a middle value lies on a slope rather than on a ridge or in noise, and the slope: both along one axis.
vec2 sloped(float before, float middle, float after) {
    float steepest = max(abs(after - middle), abs(middle - before));
    float slope = after - before;
    float share = clamp(abs(slope) / max(steepest, 1e-5), 0.0, 1.0);
    return vec2(slope, share * share);
}

void main() {
    ivec2 last = textureSize(picture, 0) - 1;
    vec2 at = place * vec2(textureSize(picture, 0)) - 0.5;
    ivec2 corner = ivec2(floor(at));
    vec2 f = at - vec2(corner);
    vec3 tap[12];
    float l[12];
    for (int i = 0; i < 12; i++) {
        tap[i] = texelFetch(picture, clamp(corner + AROUND[i], ivec2(0), last), 0).rgb;
        l[i] = light(tap[i]);
    }
    // The four nearest say where the edge runs, each for its share of this place.
    vec4 share = vec4((1.0 - f.x) * (1.0 - f.y), f.x * (1.0 - f.y), (1.0 - f.x) * f.y, f.x * f.y);
    vec2 across = vec2(0.0);
    float edge = 0.0;
    vec2 h0 = sloped(l[6], l[0], l[1]), v0 = sloped(l[4], l[0], l[2]);
    vec2 h1 = sloped(l[0], l[1], l[7]), v1 = sloped(l[5], l[1], l[3]);
    vec2 h2 = sloped(l[8], l[2], l[3]), v2 = sloped(l[0], l[2], l[10]);
    vec2 h3 = sloped(l[2], l[3], l[9]), v3 = sloped(l[1], l[3], l[11]);
    across = share.x * vec2(h0.x, v0.x) + share.y * vec2(h1.x, v1.x) + share.z * vec2(h2.x, v2.x)
        + share.w * vec2(h3.x, v3.x);
    edge = share.x * (h0.y + v0.y) + share.y * (h1.y + v1.y) + share.z * (h2.y + v2.y) + share.w * (h3.y + v3.y);
    float steep = dot(across, across);
    across = steep < 1e-9 ? vec2(1.0, 0.0) : across * inversesqrt(steep);
    edge *= 0.5;
    edge *= edge;
    // Diagonals reach farther; a sharp edge narrows the bell across it and lets it ring less along it.
    float diagonal = 1.0 / max(abs(across.x), abs(across.y));
    vec2 scale = vec2(1.0 + (diagonal - 1.0) * edge, 1.0 - 0.5 * edge);
    float lobe = 0.5 - 0.29 * edge;
    float end = 1.0 / lobe;
    vec3 sum = vec3(0.0);
    float whole = 0.0;
    for (int i = 0; i < 12; i++) {
        vec2 d = vec2(AROUND[i]) - f;
        d = vec2(dot(d, across), dot(d, vec2(-across.y, across.x))) * scale;
        float far = min(dot(d, d), end);
        float bell = lobe * far - 1.0;
        float wave = 0.4 * far - 1.0;
        float weight = (1.5625 * wave * wave - 0.5625) * bell * bell;
        sum += weight * tap[i];
        whole += weight;
    }
    vec3 least = min(min(tap[0], tap[1]), min(tap[2], tap[3]));
    vec3 most = max(max(tap[0], tap[1]), max(tap[2], tap[3]));
    colour = vec4(clamp(sum / whole, least, most), 1.0);
}
