/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Light that spreads: what is bright glows, near and far",
    "CATEGORIES": ["Glow"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "amount", "LABEL": "how much it glows", "TYPE": "float", "MIN": 0, "MAX": 2, "DEFAULT": 0.7},
        {"NAME": "threshold", "LABEL": "how bright a thing must be", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.45},
        {"NAME": "spread", "LABEL": "how far", "TYPE": "float", "MIN": 0.2, "MAX": 2, "DEFAULT": 1},
        {"NAME": "warmth", "LABEL": "colour of the far glow", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.2},
        {"NAME": "saturation", "LABEL": "how colourful the glow is", "TYPE": "float", "MIN": 0, "MAX": 2, "DEFAULT": 1.3}
    ],
    "PASSES": [
        {"TARGET": "bright", "WIDTH": "max(floor($WIDTH/4.0),1)", "HEIGHT": "max(floor($HEIGHT/4.0),1)"},
        {"TARGET": "across", "WIDTH": "max(floor($WIDTH/4.0),1)", "HEIGHT": "max(floor($HEIGHT/4.0),1)"},
        {"TARGET": "near", "WIDTH": "max(floor($WIDTH/4.0),1)", "HEIGHT": "max(floor($HEIGHT/4.0),1)"},
        {"TARGET": "wide", "WIDTH": "max(floor($WIDTH/16.0),1)", "HEIGHT": "max(floor($HEIGHT/16.0),1)"},
        {"TARGET": "far", "WIDTH": "max(floor($WIDTH/16.0),1)", "HEIGHT": "max(floor($HEIGHT/16.0),1)"},
        {}
    ]
}*/
// Reads per canvas pixel: 4/16 + 9/16 + 9/16 + 9/256 + 9/256 + 3 = 4.4.

vec3 blurred(sampler2D image, vec2 along) {
    vec3 sum = 0.2 * IMG_NORM_PIXEL(image, isf_FragNormCoord).rgb;
    for (int i = 1; i <= 4; i++) {
        float offset = float(i) * 1.6;
        float weight = 0.24 * exp(-0.09 * offset * offset);
        sum += weight * (IMG_NORM_PIXEL(image, isf_FragNormCoord + along * offset).rgb
                         + IMG_NORM_PIXEL(image, isf_FragNormCoord - along * offset).rgb);
    }
    return sum;
}

void main() {
    vec2 step1 = spread / RENDERSIZE;
    if (PASSINDEX == 0) {
        vec2 one = 0.5 / RENDERSIZE;
        vec3 c = 0.25 * (IMG_NORM_PIXEL(inputImage, isf_FragNormCoord + one * vec2(-1.0, -1.0)).rgb
                         + IMG_NORM_PIXEL(inputImage, isf_FragNormCoord + one * vec2(1.0, -1.0)).rgb
                         + IMG_NORM_PIXEL(inputImage, isf_FragNormCoord + one * vec2(-1.0, 1.0)).rgb
                         + IMG_NORM_PIXEL(inputImage, isf_FragNormCoord + one).rgb);
        float light = max(c.r, max(c.g, c.b));
        vec3 glow = c * smoothstep(threshold - 0.15, threshold + 0.35, light);
        gl_FragColor = vec4(max(mix(vec3(dot(glow, vec3(0.2126, 0.7152, 0.0722))), glow, saturation), 0.0), 1.0);
    } else if (PASSINDEX == 1) {
        gl_FragColor = vec4(blurred(bright, vec2(step1.x, 0.0)), 1.0);
    } else if (PASSINDEX == 2) {
        gl_FragColor = vec4(blurred(across, vec2(0.0, step1.y)), 1.0);
    } else if (PASSINDEX == 3) {
        gl_FragColor = vec4(blurred(near, vec2(step1.x, 0.0)), 1.0);
    } else if (PASSINDEX == 4) {
        gl_FragColor = vec4(blurred(wide, vec2(0.0, step1.y)), 1.0);
    } else {
        vec3 tint = vec3(1.0 + 0.35 * warmth, 1.0, 1.0 - 0.35 * warmth);
        vec3 glow = (0.55 * IMG_THIS_PIXEL(near).rgb + 0.85 * tint * IMG_THIS_PIXEL(far).rgb) * amount;
        vec3 c = IMG_THIS_PIXEL(inputImage).rgb;
        gl_FragColor = vec4(1.0 - (1.0 - c) * exp(-glow * 1.2), 1.0);
    }
}
