/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Sand on a sounding plate: the still lines of standing waves",
    "CATEGORIES": ["Generator"],
    "INPUTS": [
        {"NAME": "modes", "LABEL": "how high the tone is", "TYPE": "float", "MIN": 1, "MAX": 12, "DEFAULT": 5},
        {"NAME": "symmetry", "TYPE": "long", "VALUES": [0, 3, 4, 5, 6, 8], "LABELS": ["square plate", "3", "4", "5", "6", "8"], "DEFAULT": 6},
        {"NAME": "blend", "LABEL": "from one figure to the next", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.35},
        {"NAME": "width", "LABEL": "how wide the lines are", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.3},
        {"NAME": "glow", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "hue", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.09}
    ]
}*/
// No reads; at most 16 cosines a pixel and their slopes.

const float PI = 3.14159265;

vec3 wave(vec2 p, vec2 k, float phase) { // value and slope of a standing wave
    float a = dot(p, k) + phase;
    return vec3(cos(a), -sin(a) * k);
}

void main() {
    vec2 p = (isf_FragNormCoord - 0.5) * vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0) * 2.0;
    float a = TIME * 0.03;
    p = mat2(cos(a), -sin(a), sin(a), cos(a)) * p;
    vec3 sum = vec3(0.0);
    if (symmetry == 0) {
        float n = modes, m = modes * (0.35 + 0.5 * blend) + 1.0;
        vec2 x = p * PI * 0.5;
        float c1 = cos(n * x.x) * cos(m * x.y), c2 = cos(m * x.x) * cos(n * x.y);
        float s = mix(-1.0, 1.0, 0.5 + 0.5 * sin(TIME * 0.11));
        sum.x = c1 + s * c2;
        sum.yz = vec2(-n * sin(n * x.x) * cos(m * x.y) - s * m * sin(m * x.x) * cos(n * x.y),
                      -m * cos(n * x.x) * sin(m * x.y) - s * n * cos(m * x.x) * sin(n * x.y)) * PI * 0.5;
    } else {
        float k1 = modes * 2.6, k2 = modes * (1.1 + 1.2 * blend) * 2.6;
        for (int i = 0; i < 8; i++) {
            if (i >= symmetry) break;
            float turn = PI * 2.0 * float(i) / float(symmetry);
            vec2 d = vec2(cos(turn), sin(turn));
            sum += wave(p, d * k1, TIME * 0.21) + (0.4 + blend) * wave(p, vec2(-d.y, d.x) * k2, -TIME * 0.17);
        }
        sum /= float(symmetry) * 0.55;
    }
    float slope = max(length(sum.yz), 0.6);
    float away = abs(sum.x) / slope; // distance to the next still line
    float pixel = 2.0 / RENDERSIZE.y;
    float line = 1.0 - smoothstep(0.0, pixel * 1.5 + 0.02 * width, away);
    float halo = exp(-away * mix(60.0, 9.0, glow)) * (0.25 + 0.75 * glow);
    float swing = smoothstep(0.0, 2.0, abs(sum.x));
    vec3 tone = 0.5 + 0.5 * cos(6.2831853 * (hue + 0.13 * swing + vec3(0.0, 0.33, 0.62)));
    vec3 colour = tone * halo * 0.9 + mix(tone, vec3(1.0), 0.65) * line;
    colour += tone.gbr * tone * 0.10 * swing;
    float edge = 1.0 - smoothstep(0.9, 2.1, length(p)) * 0.75;
    gl_FragColor = vec4(clamp(colour * edge, 0.0, 1.0), 1.0);
}
