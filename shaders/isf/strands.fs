/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Threads of light drawn out along a current, each new sound a new thread",
    "CATEGORIES": ["Generator"],
    "INPUTS": [
        {"NAME": "scale", "LABEL": "size of the whirls", "TYPE": "float", "MIN": 0.5, "MAX": 4, "DEFAULT": 1.6},
        {"NAME": "speed", "LABEL": "how fast it flows", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.4},
        {"NAME": "threads", "LABEL": "how many", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "memory", "LABEL": "how long they stay", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.7},
        {"NAME": "hue", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.55},
        {"NAME": "spread", "LABEL": "how far the colours go", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.35}
    ],
    "PASSES": [
        {"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1},
        {"TARGET": "light", "PERSISTENT": true},
        {}
    ]
}*/
// Three reads a pixel, 8 sines for the current.

float hash(vec2 p) {
    vec3 q = fract(vec3(p.xyx) * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

vec2 current(vec2 p, float t) { // turns of a sum of waves: nothing gathers, nothing thins out
    vec2 f = vec2(0.0);
    for (int i = 1; i <= 4; i++) {
        float k = float(i);
        vec2 d = vec2(cos(k * 2.4 + 0.3), sin(k * 2.4 + 0.3));
        f += vec2(-d.y, d.x) * cos(dot(p, d) * (0.7 + 0.55 * k) + t * (0.5 + 0.2 * k) * (mod(k, 2.0) * 2.0 - 1.0)) / k;
    }
    return f;
}

void main() {
    float t = IMG_NORM_PIXEL(clock, vec2(0.5)).r;
    if (PASSINDEX == 0) {
        gl_FragColor = vec4(mod(t + clamp(TIMEDELTA, 0.0, 0.1) * (0.1 + speed), 4096.0));
        return;
    }
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    if (PASSINDEX == 2) {
        vec3 c = IMG_THIS_PIXEL(light).rgb;
        gl_FragColor = vec4(c * (0.75 + 0.6 * dot(c, vec3(0.33))), 1.0);
        return;
    }
    float dt = clamp(TIMEDELTA, 0.0, 0.1);
    vec2 p = (isf_FragNormCoord - 0.5) * aspect * 2.0;
    vec2 flow = current(p * scale, t);
    vec2 from = isf_FragNormCoord - flow * speed * dt * 0.55 / aspect;
    vec3 before = IMG_NORM_PIXEL(light, from).rgb * exp(-dt * mix(6.0, 0.25, memory));
    float rows = 7.0 + 40.0 * threads;
    float angle = atan(flow.y, flow.x);
    vec2 cell = floor(p * rows), inside = fract(p * rows) - 0.5;
    float when = floor(t * 3.0 + hash(cell) * 7.0);
    float lives = step(1.0 - 0.10 - 0.12 * threads, hash(cell + when * 13.7));
    vec2 spot = vec2(hash(cell + when), hash(cell - when)) * 0.6 - 0.3;
    float seed = exp(-dot(inside - spot, inside - spot) * 26.0) * lives;
    float tone = hue + spread * (0.16 * angle / 3.14159 + 0.25 * hash(cell + 9.0) - 0.12);
    vec3 colour = 0.5 + 0.5 * cos(6.2831853 * (tone + vec3(0.0, 0.3, 0.6)));
    gl_FragColor = vec4(clamp(before + colour * seed * dt * 34.0, 0.0, 1.0), 1.0);
}
