/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Clouds of dust before young stars",
    "CATEGORIES": ["Generator"],
    "INPUTS": [
        {"NAME": "scale", "LABEL": "how near", "TYPE": "float", "MIN": 0.4, "MAX": 3, "DEFAULT": 1},
        {"NAME": "density", "LABEL": "how much dust", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "twist", "LABEL": "how it whirls", "TYPE": "float", "MIN": 0, "MAX": 2, "DEFAULT": 0.9},
        {"NAME": "hue", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.62},
        {"NAME": "stars", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "speed", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.25}
    ],
    "PASSES": [
        {"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1},
        {"TARGET": "dust", "WIDTH": "max(floor($WIDTH/2.0),1)", "HEIGHT": "max(floor($HEIGHT/2.0),1)"},
        {}
    ]
}*/
// The dust is drawn at half the size: 3 sums of 5 octaves for a quarter of the pixels. One read a pixel.

float hash(vec2 p) {
    vec3 q = fract(vec3(p.xyx) * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

float noise(vec2 p) {
    vec2 i = floor(p), f = fract(p);
    f = f * f * f * (f * (f * 6.0 - 15.0) + 10.0);
    return mix(mix(hash(i), hash(i + vec2(1, 0)), f.x), mix(hash(i + vec2(0, 1)), hash(i + vec2(1, 1)), f.x), f.y);
}

float clouds(vec2 p) {
    float sum = 0.0, weight = 0.5;
    for (int i = 0; i < 5; i++) {
        sum += weight * noise(p);
        p = mat2(1.6, 1.2, -1.2, 1.6) * p + 3.7;
        weight *= 0.5;
    }
    return sum;
}

void main() {
    float t = IMG_NORM_PIXEL(clock, vec2(0.5)).r;
    vec2 at = (isf_FragNormCoord - 0.5) * vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    if (PASSINDEX == 0) {
        gl_FragColor = vec4(mod(t + clamp(TIMEDELTA, 0.0, 0.1) * speed, 4096.0));
    } else if (PASSINDEX == 1) {
        vec2 p = at * 2.6 / scale;
        float turn = twist * 1.4 * exp(-length(at) * 1.6);
        p = mat2(cos(turn), -sin(turn), sin(turn), cos(turn)) * p + vec2(t * 0.21, t * 0.08);
        vec2 q = vec2(clouds(p + t * 0.11), clouds(p + vec2(5.2, 1.3) - t * 0.09));
        float r = clouds(p + twist * 2.2 * (q - 0.5) + vec2(1.7, 9.2));
        float gas = smoothstep(0.62 - 0.45 * density, 1.0 - 0.25 * density, r + 0.28 * q.x);
        gl_FragColor = vec4(gas, clamp(q, 0.0, 1.0), r);
    } else {
        vec4 d = IMG_THIS_PIXEL(dust);
        vec3 warm = 0.5 + 0.5 * cos(6.2831853 * (hue + 0.42 + 0.35 * d.y + vec3(0.0, 0.22, 0.45)));
        vec3 cold = 0.5 + 0.5 * cos(6.2831853 * (hue + 0.3 * d.z + vec3(0.0, 0.25, 0.55)));
        float core = pow(d.x, 2.2);
        vec3 colour = cold * cold * d.x * 0.75 + warm * core * 1.25 + vec3(1.0, 0.93, 0.85) * pow(d.x, 7.0) * 0.8;
        colour *= 0.35 + 0.9 * smoothstep(0.25, 0.75, d.w);
        vec2 grid = at * 90.0 / scale + vec2(t * 1.3, t * 0.5);
        vec2 cell = floor(grid);
        vec2 star = vec2(hash(cell), hash(cell + 17.0)) * 0.7 + 0.15;
        float bright = pow(hash(cell + 41.0), 18.0 - 12.0 * stars);
        float point = exp(-dot(grid - cell - star, grid - cell - star) * 70.0) * bright;
        point *= 0.75 + 0.25 * sin(TIME * 3.0 + 40.0 * hash(cell + 5.0));
        colour += point * mix(vec3(0.75, 0.85, 1.0), vec3(1.0, 0.85, 0.7), hash(cell + 3.0)) * 1.6 * step(0.001, stars) * (1.0 - 0.6 * d.x);
        gl_FragColor = vec4(1.0 - exp(-(colour + 0.012 * cold) * 1.35), 1.0);
    }
}
