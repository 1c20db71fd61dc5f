/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "A ring of light opens from the middle, and what comes is seen through it",
    "CATEGORIES": ["Transition"],
    "INPUTS": [
        {"NAME": "startImage", "TYPE": "image"},
        {"NAME": "endImage", "TYPE": "image"},
        {"NAME": "progress", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0},
        {"NAME": "lens", "LABEL": "how much the ring bends", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "ring", "LABEL": "how much it shines", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.35}
    ]
}*/
// Two reads a pixel; about 40 operations.

void main() {
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    vec2 at = (isf_FragNormCoord - 0.5) * aspect;
    float corner = length(aspect * 0.5);
    float eased = progress * progress * (3.0 - 2.0 * progress);
    float wide = 0.16;
    float radius = eased * (corner + 2.0 * wide) - wide;
    float d = length(at) - radius;
    float near = exp(-d * d / (wide * wide * 0.25));
    vec2 bent = isf_FragNormCoord - normalize(at + 1e-5) / aspect * near * lens * 0.12;
    float inside = 1.0 - smoothstep(-wide * 0.35, wide * 0.35, d);
    vec3 before = IMG_NORM_PIXEL(startImage, clamp(bent, 0.0, 1.0)).rgb;
    vec3 after = IMG_NORM_PIXEL(endImage, clamp(bent, 0.0, 1.0)).rgb;
    vec3 c = mix(before, after, inside);
    float whole = step(0.0001, progress) * step(progress, 0.9999);
    gl_FragColor = vec4(clamp(c + c * near * ring * 1.5 * whole + near * ring * 0.12 * whole, 0.0, 1.0), 1.0);
}
