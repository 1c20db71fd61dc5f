/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Leaded glass: the picture in bevelled pieces, each of one colour or a lens of its own",
    "CATEGORIES": ["Stylize"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "pieces", "LABEL": "so many from top to bottom", "TYPE": "float", "MIN": 2, "MAX": 30, "DEFAULT": 9},
        {"NAME": "plain", "LABEL": "a lens each, or one colour", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.6},
        {"NAME": "lead", "LABEL": "how wide the lead is", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.25},
        {"NAME": "bevel", "LABEL": "light on their edges", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "apart", "LABEL": "how far they show other places", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.15},
        {"NAME": "restless", "LABEL": "how they move", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.3}
    ],
    "PASSES": [
        {"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1},
        {"TARGET": "seeds", "WIDTH": 64, "HEIGHT": 64},
        {}
    ]
}*/
// The clock lets pieces move faster without a jump. Where each piece has its middle, inside its cell, is drawn once for
// all; then 9 of them are read for each pixel, and the picture twice.

vec2 hash(vec2 p) {
    vec3 q = fract(vec3(p.xyx) * vec3(0.1031, 0.1030, 0.0973));
    q += dot(q, q.yzx + 33.33);
    return fract((q.xx + q.yz) * q.zy);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = vec4(mod(IMG_NORM_PIXEL(clock, vec2(0.5)).r + clamp(TIMEDELTA, 0.0, 0.1) * restless, 4096.0));
        return;
    }
    if (PASSINDEX == 1) {
        vec2 h = hash(floor(gl_FragCoord.xy));
        float t = IMG_NORM_PIXEL(clock, vec2(0.5)).r;
        gl_FragColor = vec4(0.5 + 0.40 * sin(6.2831853 * h + t * (0.5 + 0.7 * h.yx)), 0.0, 1.0);
        return;
    }
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    vec2 p = (isf_FragNormCoord - 0.5) * aspect * pieces;
    vec2 cell = floor(p), inside = p - cell, nearest = vec2(0.0), middle = vec2(0.0);
    vec2 ways[9];
    float least = 9.0;
    for (int i = 0; i < 9; i++) {
        vec2 other = vec2(mod(float(i), 3.0), floor(float(i) / 3.0)) - 1.0;
        vec2 way = other + IMG_NORM_PIXEL(seeds, (mod(cell + other, 64.0) + 0.5) / 64.0).rg - inside;
        float d = dot(way, way);
        if (d < least) { least = d; nearest = other; middle = way; }
        ways[i] = way;
    }
    float border = 9.0;
    vec2 facing = vec2(0.0);
    for (int i = 0; i < 9; i++) {
        vec2 between = ways[i] - middle;
        float apartness = dot(between, between);
        if (apartness > 1e-4) {
            float d = dot(0.5 * (middle + ways[i]), between * inversesqrt(apartness));
            if (d < border) { border = d; facing = between * inversesqrt(apartness); }
        }
    }
    vec2 id = cell + nearest, own = hash(id + 31.0);
    vec2 from = isf_FragNormCoord + (middle * plain + (own - 0.5) * 2.0 * apart * pieces * 0.25) / pieces / aspect;
    from = 1.0 - abs(1.0 - mod(from, 2.0));
    vec3 c = IMG_NORM_PIXEL(inputImage, from).rgb;
    vec3 through = IMG_NORM_PIXEL(inputImage, 1.0 - abs(1.0 - mod(from + facing * 0.06 / aspect, 2.0))).rgb;
    float pixel = pieces / RENDERSIZE.y;
    float slope = smoothstep(0.20, 0.03, border);
    float lit = dot(facing, vec2(-0.6, 0.8)) * smoothstep(0.0, 1.5 * pixel, border);
    c = mix(c, through, 0.5 * slope * bevel);
    c *= 0.86 + 0.28 * own.x;
    c *= 1.0 + bevel * slope * lit * 0.75;
    c += bevel * 0.35 * smoothstep(0.10, 0.06, abs(border - 0.10)) * max(lit, 0.0) * (0.15 + c);
    float wide = lead * 0.16;
    float open = smoothstep(wide - pixel, wide + pixel, border);
    c = mix(c * 0.03 + vec3(0.012) * (1.0 - border / max(wide, 1e-3)), c, mix(1.0, open, step(0.001, lead)));
    gl_FragColor = vec4(clamp(c, 0.0, 1.0), 1.0);
}
