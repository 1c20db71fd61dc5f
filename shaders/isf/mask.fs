/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "A window into the dark: circle, square, bar or star, with a soft or a glowing border",
    "CATEGORIES": ["Mask"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "shape", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["circle", "square", "bar", "star"], "DEFAULT": 0},
        {"NAME": "size", "TYPE": "float", "MIN": 0, "MAX": 1.5, "DEFAULT": 0.8},
        {"NAME": "soft", "LABEL": "how soft the edge is", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.15},
        {"NAME": "border", "LABEL": "a line of light", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.3},
        {"NAME": "outside", "LABEL": "how much is seen outside", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0},
        {"NAME": "turn", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0}
    ]
}*/
// Two reads a pixel.

void main() {
    vec2 at = (isf_FragNormCoord - 0.5) * vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0) * 2.0;
    float a = turn * 3.14159265;
    at = mat2(cos(a), -sin(a), sin(a), cos(a)) * at;
    float d;
    if (shape == 0) d = length(at) - size;
    else if (shape == 1) d = max(abs(at.x), abs(at.y)) - size * 0.9;
    else if (shape == 2) d = abs(at.y) - size * 0.7;
    else {
        float w = 3.14159265 / 5.0;
        float t = abs(mod(atan(at.x, at.y), 2.0 * w) - w);
        d = length(at) * (0.62 + 0.38 * cos(t * 5.0 + 3.14159265)) * 1.3 - size * 0.9;
    }
    float inside = 1.0 - smoothstep(-soft * 0.5 - 0.003, soft * 0.5 + 0.003, d);
    vec3 c = IMG_THIS_PIXEL(inputImage).rgb;
    vec3 glow = IMG_NORM_PIXEL(inputImage, 0.5 + (isf_FragNormCoord - 0.5) * 0.6).rgb;
    float line = exp(-abs(d) * 26.0) + 0.35 * exp(-abs(d) * 5.0);
    c *= mix(outside, 1.0, inside);
    gl_FragColor = vec4(clamp(c + (0.25 + glow) * line * border, 0.0, 1.0), 1.0);
}
