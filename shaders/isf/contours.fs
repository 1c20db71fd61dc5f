/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Lines of equal brightness, like a map of the sea, with the edges drawn in light",
    "CATEGORIES": ["Stylize"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "lines", "LABEL": "how many", "TYPE": "float", "MIN": 2, "MAX": 40, "DEFAULT": 12},
        {"NAME": "width", "LABEL": "how thick", "TYPE": "float", "MIN": 0.3, "MAX": 4, "DEFAULT": 1.2},
        {"NAME": "edges", "LABEL": "how much of the edges", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.4},
        {"NAME": "ground", "LABEL": "how much of the picture stays", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.3},
        {"NAME": "drift", "LABEL": "lines that wander", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.1},
        {"NAME": "ink", "LABEL": "colour of the lines, or the picture's", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.25}
    ],
    "PASSES": [
        {"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1},
        {"TARGET": "heights", "FLOAT": true, "WIDTH": "max(floor(120.0*$WIDTH/$HEIGHT),1)", "HEIGHT": 120},
        {}
    ]
}*/
// Heights are small and smooth, so that lines are curves and no scribble, and read through a B-spline (4 reads); a line
// is as sharp as the canvas, by fwidth. The clock lets the drift change without a jump. 14 reads a pixel.

float light(vec2 at) { return dot(IMG_NORM_PIXEL(inputImage, at).rgb, vec3(0.2126, 0.7152, 0.0722)); }

float spline(vec2 at) {
    vec2 size = IMG_SIZE(heights), texel = at * size - 0.5, f = fract(texel), g = 1.0 - f;
    texel -= f;
    vec2 w1 = (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0, w3 = f * f * f / 6.0;
    vec2 left = g * g * g / 6.0 + w1, right = 1.0 - left;
    vec2 a = (texel - 0.5 + w1 / left) / size, b = (texel + 1.5 + w3 / right) / size;
    return (IMG_NORM_PIXEL(heights, a).r * left.x + IMG_NORM_PIXEL(heights, vec2(b.x, a.y)).r * right.x) * left.y
        + (IMG_NORM_PIXEL(heights, vec2(a.x, b.y)).r * left.x + IMG_NORM_PIXEL(heights, b).r * right.x) * right.y;
}

void main() {
    float wandered = IMG_NORM_PIXEL(clock, vec2(0.5)).r;
    vec2 p = isf_FragNormCoord, e = 1.5 * max(1.0, RENDERSIZE.y / 540.0) / RENDERSIZE; // as thick on large canvases
    if (PASSINDEX == 0) {
        gl_FragColor = vec4(mod(wandered + clamp(TIMEDELTA, 0.0, 0.1) * drift * 1.5, 1.0));
        return;
    }
    if (PASSINDEX == 1) {
        float sum = 0.0;
        for (int y = -2; y <= 2; y++)
            for (int x = -2; x <= 2; x++) sum += light(p + vec2(x, y) * 0.6 / RENDERSIZE) / 25.0;
        gl_FragColor = vec4(sum);
        return;
    }
    float a = light(p + e * vec2(-1, -1)), b = light(p + e * vec2(0, -1)), c = light(p + e * vec2(1, -1));
    float d = light(p + e * vec2(-1, 0)), f = light(p + e * vec2(1, 0));
    float g = light(p + e * vec2(-1, 1)), h = light(p + e * vec2(0, 1)), i = light(p + e * vec2(1, 1));
    vec2 slope = vec2(c + 2.0 * f + i - a - 2.0 * d - g, g + 2.0 * h + i - a - 2.0 * b - c) / 12.0;
    vec3 colour = IMG_NORM_PIXEL(inputImage, p).rgb;
    float level = spline(p), height = level * lines - wandered;
    float step1 = max(length(vec2(dFdx(level), dFdy(level))) * lines, 1e-5); // of height, from pixel to pixel
    float thick = width * max(1.0, RENDERSIZE.y / 720.0);
    float line = 1.0 - smoothstep(thick * 0.5 - 0.5, thick * 0.5 + 0.5, abs(fract(height) - 0.5) / step1);
    line *= smoothstep(0.06, 0.5, step1 * RENDERSIZE.y / lines); // flat parts have none
    line = mix(line, 0.5, smoothstep(0.25, 0.7, step1)); // nor are there more than pixels
    float edge = smoothstep(0.03, 0.16, length(slope));
    vec3 own = colour / max(max(colour.r, max(colour.g, colour.b)), 0.15);
    vec3 drawn = mix(own, vec3(1.0), ink) * max(line, edge * edges);
    gl_FragColor = vec4(colour * ground + drawn * (1.0 - colour * ground), 1.0);
}
