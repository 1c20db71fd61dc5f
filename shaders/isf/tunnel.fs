/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "A flight through the picture: it is the wall of a tunnel without an end or a seam",
    "CATEGORIES": ["Geometry"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "speed", "LABEL": "how fast", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.3},
        {"NAME": "around", "LABEL": "so many times around", "TYPE": "long", "VALUES": [1, 2, 3, 4, 5, 6, 8, 12], "LABELS": ["1", "2", "3", "4", "5", "6", "8", "12"], "DEFAULT": 2},
        {"NAME": "twist", "LABEL": "how it winds", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.2},
        {"NAME": "stretch", "LABEL": "how long the picture is drawn", "TYPE": "float", "MIN": 0.2, "MAX": 2, "DEFAULT": 0.7},
        {"NAME": "glow", "LABEL": "light at its end", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.4},
        {"NAME": "sway", "LABEL": "where it leads", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0}
    ],
    "PASSES": [{"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1}, {}]
}*/
// The clock lets speed change without a jump. Eight reads a pixel: four for what a pixel covers.

const float PI = 3.14159265;

void main() {
    float way = IMG_NORM_PIXEL(clock, vec2(0.5)).r;
    if (PASSINDEX == 0) {
        gl_FragColor = vec4(mod(way + clamp(TIMEDELTA, 0.0, 0.1) * speed * 1.6, 2.0));
        return;
    }
    vec2 at = (isf_FragNormCoord - 0.5) * vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    float r = length(at);
    at -= vec2(cos(TIME * 0.37), sin(TIME * 0.29)) * sway * 0.25 * exp(-4.0 * r); // the end sways, the mouth stays
    r = max(length(at), 1e-4);
    float deep = -log(r) * 0.62 / stretch;
    float turn = atan(at.y, at.x) / PI * float(around) + twist * deep * 1.5;
    float thick = 0.62 / stretch / r / RENDERSIZE.y, wide = float(around) / PI / r / RENDERSIZE.y; // of a pixel, there
    vec3 c = vec3(0.0);
    for (int i = 0; i < 4; i++) {
        vec2 off = vec2(float(i) - 1.5, mod(float(i) * 2.0, 5.0 - 0.5 * float(i)) - 1.5) * 0.25;
        vec2 from = vec2(turn + 0.5, deep + way) + off * vec2(wide, thick);
        from = 0.14 + 0.72 * (1.0 - abs(1.0 - mod(from, 2.0))); // the borders of a picture are seldom its best
        c += 0.25 * IMG_NORM_PIXEL(inputImage, from).rgb;
    }
    vec3 mean = 0.34 * (IMG_NORM_PIXEL(inputImage, vec2(0.5)).rgb + IMG_NORM_PIXEL(inputImage, vec2(0.35, 0.4)).rgb
                        + IMG_NORM_PIXEL(inputImage, vec2(0.65, 0.6)).rgb);
    float end = smoothstep(0.18, 0.03, r);
    c = mix(c, mean, end * (0.35 + 0.6 * smoothstep(0.09, 0.02, r)));
    c *= mix(1.0, smoothstep(0.0, 0.2, r), 1.0 - glow);
    c += glow * (0.2 + 0.8 * mean) * (exp(-r * 7.0) * 0.8 + exp(-r * 30.0));
    gl_FragColor = vec4(clamp(c, 0.0, 1.0), 1.0);
}
