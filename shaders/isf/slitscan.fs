/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Time runs across the picture: every part shows another moment of the last seconds",
    "CATEGORIES": ["Time"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "amount", "LABEL": "how far back", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.7},
        {"NAME": "shape", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["down", "across", "rings", "brightness"], "DEFAULT": 2},
        {"NAME": "rate", "LABEL": "moments a second", "TYPE": "float", "MIN": 4, "MAX": 30, "DEFAULT": 16},
        {"NAME": "soften", "LABEL": "between two moments", "TYPE": "bool", "DEFAULT": true},
        {"NAME": "backwards", "TYPE": "bool", "DEFAULT": false}
    ],
    "PASSES": [
        {"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1},
        {"TARGET": "film", "PERSISTENT": true, "WIDTH": "max(floor($WIDTH/4.0),1)*6", "HEIGHT": "max(floor($HEIGHT/4.0),1)*6"},
        {}
    ]
}*/
// A film of 36 small pictures; the newest moment is shown at full size. Reads a pixel: 3 at most, and 2.25 for the film.

const float SIDE = 6.0;
const float COUNT = 36.0;

vec2 place(float index, vec2 at) {
    float i = mod(index, COUNT);
    return (vec2(mod(i, SIDE), floor(i / SIDE)) + clamp(at, 0.01, 0.99)) / SIDE;
}

void main() {
    vec4 time = IMG_NORM_PIXEL(clock, vec2(0.5));
    if (PASSINDEX == 0) { // red: the picture that is written now; green: how much of its time is over
        float phase = time.g + clamp(TIMEDELTA, 0.0, 0.1) * rate;
        gl_FragColor = vec4(mod(time.r + floor(phase), COUNT), fract(phase), 0.0, 1.0);
        return;
    }
    if (PASSINDEX == 1) {
        vec2 cell = floor(isf_FragNormCoord * SIDE);
        vec4 kept = IMG_THIS_PIXEL(film);
        bool written = abs(cell.x + cell.y * SIDE - time.r) < 0.5;
        bool first = FRAMEINDEX == 0;
        gl_FragColor = written || first ? vec4(IMG_NORM_PIXEL(inputImage, fract(isf_FragNormCoord * SIDE)).rgb, 1.0) : kept;
        return;
    }
    vec2 p = isf_FragNormCoord;
    vec3 now = IMG_THIS_PIXEL(inputImage).rgb;
    float delay = shape == 0 ? 1.0 - p.y : shape == 1 ? p.x : shape == 2
        ? length((p - 0.5) * vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0)) * 1.1 : 1.0 - dot(now, vec3(0.2126, 0.7152, 0.0722));
    if (backwards) delay = 1.0 - delay;
    delay = clamp(delay, 0.0, 1.0) * amount * (COUNT - 3.0);
    float age = max(delay - time.g, 0.0);
    float whole = floor(age);
    vec3 one = IMG_NORM_PIXEL(film, place(time.r - whole + COUNT, p)).rgb;
    vec3 other = IMG_NORM_PIXEL(film, place(time.r - whole - 1.0 + COUNT, p)).rgb;
    vec3 then = soften ? mix(one, other, age - whole) : one;
    gl_FragColor = vec4(mix(now, then, smoothstep(0.0, 1.5, delay)), 1.0);
}
