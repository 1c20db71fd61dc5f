/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "The picture flows along its own edges: oil, smoke, marbled paper",
    "CATEGORIES": ["Displacement"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "amount", "LABEL": "how far it flows", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.45},
        {"NAME": "scale", "LABEL": "size of the whirls", "TYPE": "float", "MIN": 0.5, "MAX": 6, "DEFAULT": 2},
        {"NAME": "swirl", "LABEL": "along the edges, or across", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.8},
        {"NAME": "memory", "LABEL": "how long it keeps flowing", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.6},
        {"NAME": "speed", "LABEL": "how fast the whirls change", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.25}
    ],
    "PASSES": [
        {"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1},
        {"TARGET": "small", "WIDTH": "max(floor($WIDTH/8.0),1)", "HEIGHT": "max(floor($HEIGHT/8.0),1)"},
        {"TARGET": "field", "FLOAT": true, "WIDTH": "max(floor($WIDTH/8.0),1)", "HEIGHT": "max(floor($HEIGHT/8.0),1)"},
        {"TARGET": "oil", "PERSISTENT": true}
    ]
}*/
// Where it flows changes slowly, so an eighth of the size is enough. Reads per canvas pixel: 9/64 + 4/64 + 3 = 3.2.

float light(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

void main() {
    if (PASSINDEX == 0) { // lets the speed change without a jump
        gl_FragColor = vec4(mod(IMG_NORM_PIXEL(clock, vec2(0.5)).r + clamp(TIMEDELTA, 0.0, 0.1) * speed, 4096.0));
        return;
    }
    if (PASSINDEX == 1) {
        vec3 sum = vec3(0.0);
        for (int y = -1; y <= 1; y++)
            for (int x = -1; x <= 1; x++)
                sum += IMG_NORM_PIXEL(inputImage, isf_FragNormCoord + vec2(x, y) * 0.66 / RENDERSIZE).rgb;
        gl_FragColor = vec4(sum / 9.0, 1.0);
        return;
    }
    vec2 p = isf_FragNormCoord, aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    if (PASSINDEX == 3) {
        float dt = clamp(TIMEDELTA, 0.0, 0.1);
        vec2 flow = IMG_THIS_PIXEL(field).rg;
        vec3 now = IMG_NORM_PIXEL(inputImage, p - flow * 0.22).rgb;
        vec3 carried = IMG_NORM_PIXEL(oil, p - flow * dt * 1.4).rgb;
        float keep = memory * exp(-dt * 1.2) * step(0.5, float(FRAMEINDEX));
        gl_FragColor = vec4(mix(now, carried, keep * 0.97), 1.0);
        return;
    }
    vec2 wide = scale * 0.006 / aspect;
    vec2 slope = vec2(
        light(IMG_NORM_PIXEL(small, p + vec2(wide.x, 0.0)).rgb) - light(IMG_NORM_PIXEL(small, p - vec2(wide.x, 0.0)).rgb),
        light(IMG_NORM_PIXEL(small, p + vec2(0.0, wide.y)).rgb) - light(IMG_NORM_PIXEL(small, p - vec2(0.0, wide.y)).rgb));
    vec2 along = mix(slope, vec2(-slope.y, slope.x), swirl);
    vec2 q = p * aspect * scale * 3.0;
    float t = IMG_NORM_PIXEL(clock, vec2(0.5)).r;
    vec2 air = vec2(sin(q.y * 1.7 + t * 1.3 + 2.0 * sin(q.x * 0.9 - t)), cos(q.x * 1.5 - t * 1.1 + 2.0 * sin(q.y * 1.1 + t)));
    gl_FragColor = vec4((along * 2.2 + air * 0.06) * amount / aspect, 0.0, 1.0);
}
