/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Folds of silk in a slow wind",
    "CATEGORIES": ["Generator"],
    "INPUTS": [
        {"NAME": "scale", "LABEL": "size of the folds", "TYPE": "float", "MIN": 0.5, "MAX": 4, "DEFAULT": 1.4},
        {"NAME": "fold", "LABEL": "how deeply it folds", "TYPE": "float", "MIN": 0, "MAX": 2, "DEFAULT": 1},
        {"NAME": "sheen", "LABEL": "how it shines", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.6},
        {"NAME": "hue", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.6},
        {"NAME": "spread", "LABEL": "how far the colours go", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.4},
        {"NAME": "speed", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.3}
    ],
    "PASSES": [{"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1}, {}]
}*/
// No reads but the clock's; about 15 sines for each of 3 heights a pixel. The clock lets speed change without a jump.

vec2 warped(vec2 p, float t) {
    for (int i = 1; i <= 4; i++) {
        float k = float(i);
        p += fold * 0.55 / k * vec2(sin(k * 1.35 * p.y + t * (0.6 + 0.13 * k) + 1.7 * k), cos(k * 1.25 * p.x - t * (0.5 + 0.17 * k) + 2.3 * k));
    }
    return p;
}

float height(vec2 p, float t) {
    vec2 q = warped(p, t);
    return sin(q.x * 1.9 + 0.8 * q.y) + 0.5 * sin(q.y * 2.7 - q.x + t * 0.4);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = vec4(mod(IMG_NORM_PIXEL(clock, vec2(0.5)).r + clamp(TIMEDELTA, 0.0, 0.1) * speed, 4096.0));
        return;
    }
    float t = IMG_NORM_PIXEL(clock, vec2(0.5)).r * 1.6 + 11.0;
    vec2 p = (isf_FragNormCoord - 0.5) * vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0) * 3.2 * scale;
    vec2 q = warped(p, t);
    float e = 0.012 * scale;
    float h = height(p, t);
    vec3 normal = normalize(vec3(h - height(p + vec2(e, 0.0), t), h - height(p + vec2(0.0, e), t), e * 2.6));
    float lit = clamp(dot(normal, normalize(vec3(0.5, 0.65, 0.55))), 0.0, 1.0);
    float rim = pow(clamp(1.0 - normal.z, 0.0, 1.0), 2.0);
    float shine = pow(clamp(dot(normal, normalize(vec3(0.25, 0.5, 0.95))), 0.0, 1.0), 24.0);
    float tone = hue + spread * (0.22 * sin(q.x * 0.6 + q.y * 0.4) + 0.14 * h * 0.5);
    vec3 colour = 0.5 + 0.5 * cos(6.2831853 * (tone + vec3(0.0, 0.28, 0.58)));
    colour = mix(colour, colour * colour, 0.6);
    vec3 cloth = colour * (0.07 + 0.95 * lit * lit) + rim * 0.35 * colour.gbr;
    cloth += sheen * shine * (0.55 + 0.45 * colour);
    gl_FragColor = vec4(1.0 - exp(-cloth * 1.5), 1.0);
}
