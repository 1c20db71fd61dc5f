/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Cut paper: sheets lie over each other, each cut out where the picture is dark, and cast shadows",
    "CATEGORIES": ["Stylize"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "sheets", "LABEL": "how many sheets", "TYPE": "float", "MIN": 2, "MAX": 16, "DEFAULT": 7},
        {"NAME": "shadow", "LABEL": "how far apart they lie", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "angle", "LABEL": "where the light comes from", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.7},
        {"NAME": "shift", "LABEL": "the cuts wander", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0},
        {"NAME": "colour", "LABEL": "white paper, or the picture's colour", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "fibre", "LABEL": "the paper's grain", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.35}
    ],
    "PASSES": [{"TARGET": "heights", "FLOAT": true, "WIDTH": "max(floor(80.0*$WIDTH/$HEIGHT),1)", "HEIGHT": 80}, {}]
}*/
// Heights are small and smooth, and read through a B-spline (4 reads) where a cut is drawn. Eleven reads a pixel.

float light(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

float hash(vec2 p) {
    vec3 q = fract(vec3(p.xyx) * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

float spline(vec2 at) {
    vec2 size = IMG_SIZE(heights), texel = at * size - 0.5, f = fract(texel), g = 1.0 - f;
    texel -= f;
    vec2 w0 = g * g * g / 6.0, w1 = (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0, w3 = f * f * f / 6.0;
    vec2 left = w0 + w1, right = 1.0 - left;
    vec2 a = (texel - 0.5 + w1 / left) / size, b = (texel + 1.5 + w3 / right) / size;
    return (IMG_NORM_PIXEL(heights, a).r * left.x + IMG_NORM_PIXEL(heights, vec2(b.x, a.y)).r * right.x) * left.y
        + (IMG_NORM_PIXEL(heights, vec2(a.x, b.y)).r * left.x + IMG_NORM_PIXEL(heights, b).r * right.x) * right.y;
}

void main() {
    vec2 p = isf_FragNormCoord, aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    if (PASSINDEX == 0) {
        float sum = 0.0;
        for (int y = -2; y <= 2; y++)
            for (int x = -2; x <= 2; x++)
                sum += light(IMG_NORM_PIXEL(inputImage, p + vec2(x, y) * 0.8 / RENDERSIZE).rgb) / 25.0;
        gl_FragColor = vec4(sqrt(sum));
        return;
    }
    float height = spline(p) * sheets + shift;
    float wide = max(fwidth(height), 1e-4), over = fract(height);
    float level = floor(height) - 1.0 + clamp(over / wide, 0.0, 1.0); // the border of a sheet, one pixel soft
    float a = angle * 3.14159265;
    vec2 towards = vec2(cos(a), sin(a)) * (0.006 + 0.045 * shadow) / aspect;
    float next = floor(height) + 1.0, before = height, far = 1.0; // how far off the next sheet begins, towards the light
    for (int i = 1; i <= 5; i++) {
        float there = IMG_NORM_PIXEL(heights, p + towards * float(i) / 5.0).r * sheets + shift;
        if (there >= next && before < next) far = min(far, (float(i) - 1.0 + (next - before) / max(there - before, 1e-5)) / 5.0);
        before = there;
    }
    float dark = pow(1.0 - far, 1.5);
    float edge = smoothstep(2.5 * wide, wide, over) * 0.09; // the cut catches the light
    float place = clamp((level + 0.9) / sheets, 0.0, 1.0);
    vec3 c = IMG_THIS_PIXEL(inputImage).rgb;
    vec3 tone = c / max(light(c), 0.05) * place;
    vec3 sheet = mix(vec3(0.30 + 0.68 * place), clamp(tone, 0.0, 1.0), colour);
    vec2 pixel = floor(p * RENDERSIZE * 1080.0 / max(RENDERSIZE.y, 1080.0));
    float fibres = hash(pixel + level * 7.0) * 0.6 + hash(floor(pixel * vec2(0.22, 0.9)) + level * 13.0) * 0.4 - 0.5;
    sheet = sheet * (1.0 - 0.5 * dark) * (1.0 + 0.16 * fibre * fibres) + edge;
    gl_FragColor = vec4(clamp(sheet, 0.0, 1.0), 1.0);
}
