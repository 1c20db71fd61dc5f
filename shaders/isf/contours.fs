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
    ]
}*/
// Nine reads a pixel.

float light(vec2 at) { return dot(IMG_NORM_PIXEL(inputImage, at).rgb, vec3(0.2126, 0.7152, 0.0722)); }

void main() {
    vec2 p = isf_FragNormCoord, e = 1.5 * max(1.0, RENDERSIZE.y / 540.0) / RENDERSIZE; // as thick on large canvases
    float a = light(p + e * vec2(-1, -1)), b = light(p + e * vec2(0, -1)), c = light(p + e * vec2(1, -1));
    float d = light(p + e * vec2(-1, 0)), f = light(p + e * vec2(1, 0));
    float g = light(p + e * vec2(-1, 1)), h = light(p + e * vec2(0, 1)), i = light(p + e * vec2(1, 1));
    vec2 slope = vec2(c + 2.0 * f + i - a - 2.0 * d - g, g + 2.0 * h + i - a - 2.0 * b - c) / 12.0;
    vec3 colour = IMG_NORM_PIXEL(inputImage, p).rgb;
    float level = (a + b + c + d + f + g + h + i) / 8.0;
    float height = level * lines - TIME * drift * 1.5;
    float steep = max(length(slope) * lines, 1e-4);
    float line = 1.0 - smoothstep(width * 0.5, width * 0.5 + 1.0, abs(fract(height) - 0.5) / steep * 1.0);
    line *= smoothstep(0.002, 0.02, length(slope)) * 0.8 + 0.2 * step(1e-3, steep);
    float edge = smoothstep(0.03, 0.16, length(slope));
    vec3 own = colour / max(max(colour.r, max(colour.g, colour.b)), 0.15);
    vec3 drawn = mix(own, vec3(1.0), ink) * max(line, edge * edges);
    gl_FragColor = vec4(colour * ground + drawn * (1.0 - colour * ground), 1.0);
}
