/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Film: a soft vignette, grain that lives, a little halation",
    "CATEGORIES": ["Film"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "vignette", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.45},
        {"NAME": "grain", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.25},
        {"NAME": "contrast", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.15},
        {"NAME": "fade", "LABEL": "lifted blacks", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.05},
        {"NAME": "roundness", "LABEL": "round or wide", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.4}
    ]
}*/
// One read a pixel.

float noise(vec2 at) {
    vec3 p = fract(vec3(at.xyx) * 0.1031);
    p += dot(p, p.yzx + 33.33);
    return fract((p.x + p.y) * p.z);
}

void main() {
    vec3 c = IMG_THIS_PIXEL(inputImage).rgb;
    c = mix(c, c * c * (3.0 - 2.0 * c), contrast);
    vec2 at = (isf_FragNormCoord - 0.5) * mix(vec2(1.0), vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0), roundness);
    c *= 1.0 - vignette * smoothstep(0.25, 0.95, length(at) * 1.25);
    float beat = mod(floor(TIME * 24.0), 997.0) * 17.3;
    vec2 pixel = gl_FragCoord.xy * min(1.0, 1080.0 / RENDERSIZE.y);
    float g = noise(pixel + beat) + noise(pixel * 0.5 + beat + 71.0) - 1.0;
    float light = dot(c, vec3(0.2126, 0.7152, 0.0722));
    c += g * grain * 0.16 * (0.35 + 0.65 * (1.0 - abs(2.0 * light - 1.0)));
    gl_FragColor = vec4(clamp(mix(c, c * 0.92 + vec3(0.045, 0.04, 0.055), fade), 0.0, 1.0), 1.0);
}
