/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "What was runs down along its own light, and what comes shows through",
    "CATEGORIES": ["Transition"],
    "INPUTS": [
        {"NAME": "startImage", "TYPE": "image"},
        {"NAME": "endImage", "TYPE": "image"},
        {"NAME": "progress", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0},
        {"NAME": "run", "LABEL": "how far it runs", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "soft", "LABEL": "how soft its edge is", "TYPE": "float", "MIN": 0.02, "MAX": 1, "DEFAULT": 0.3}
    ]
}*/
// Three reads a pixel; about 40 operations.

void main() {
    vec2 p = isf_FragNormCoord;
    vec3 held = IMG_NORM_PIXEL(startImage, p).rgb;
    float heavy = dot(held, vec3(0.2126, 0.7152, 0.0722));
    float eased = progress * progress * (3.0 - 2.0 * progress);
    float stream = 0.5 + 0.25 * sin(p.x * 23.0 + 2.0 * sin(p.x * 9.0)) + 0.25 * sin(p.x * 57.0 + 1.3);
    float fall = run * eased * (0.25 + 0.75 * stream) * (0.3 + heavy);
    vec3 before = IMG_NORM_PIXEL(startImage, vec2(p.x, min(p.y + fall, 1.0))).rgb;
    vec3 after = IMG_NORM_PIXEL(endImage, p).rgb;
    float light = dot(before, vec3(0.2126, 0.7152, 0.0722));
    float at = eased * (1.0 + 2.0 * soft) - soft; // dark goes first, bright last
    float share = smoothstep(-soft, soft, at - clamp(0.75 * light + 0.25 * stream, 0.0, 1.0));
    gl_FragColor = vec4(mix(before, after, clamp(share, step(1.0, progress), step(0.0001, progress))), 1.0);
}
