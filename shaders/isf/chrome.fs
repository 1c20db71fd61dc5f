/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Liquid metal: the picture's light is a surface in which a row of lamps is mirrored",
    "CATEGORIES": ["Stylize"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "depth", "LABEL": "how high the picture stands", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.5},
        {"NAME": "waves", "LABEL": "waves of its own", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.35},
        {"NAME": "lamps", "LABEL": "how many lamps", "TYPE": "float", "MIN": 1, "MAX": 12, "DEFAULT": 4},
        {"NAME": "polish", "LABEL": "how sharply it mirrors", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.7},
        {"NAME": "turn", "LABEL": "where the lamps stand", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.1},
        {"NAME": "tint", "LABEL": "steel, or the picture's colour", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.4}
    ],
    "PASSES": [{"TARGET": "heights", "FLOAT": true, "WIDTH": "max(floor(100.0*$WIDTH/$HEIGHT),1)", "HEIGHT": 100}, {}]
}*/
// The surface is small and smooth; its slope is the exact one of a B-spline through it (8 reads), so that nothing of
// the grid is mirrored. The lamps' borders are as sharp as the canvas: their width follows fwidth. Ten reads a pixel.

float light(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

float four(vec2 a, vec2 b, vec2 left, vec2 right) {
    return (IMG_NORM_PIXEL(heights, a).r * left.x + IMG_NORM_PIXEL(heights, vec2(b.x, a.y)).r * right.x) * left.y
        + (IMG_NORM_PIXEL(heights, vec2(a.x, b.y)).r * left.x + IMG_NORM_PIXEL(heights, b).r * right.x) * right.y;
}

vec2 sloping(vec2 at) { // of the surface, for a step of one canvas height
    vec2 size = IMG_SIZE(heights), texel = at * size - 0.5, f = fract(texel), g = 1.0 - f;
    texel -= f;
    vec2 w1 = (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0, w3 = f * f * f / 6.0;
    vec2 left = g * g * g / 6.0 + w1, right = 1.0 - left;
    vec2 d1 = 1.5 * f * f - 2.0 * f, d3 = 0.5 * f * f; // slopes of the same weights
    vec2 fall = d1 - 0.5 * g * g, rise = -fall;
    vec2 a = (texel - 0.5 + w1 / left) / size, b = (texel + 1.5 + w3 / right) / size;
    vec2 da = (texel - 0.5 + d1 / fall) / size, db = (texel + 1.5 + d3 / rise) / size;
    return vec2(four(vec2(da.x, a.y), vec2(db.x, b.y), vec2(fall.x, left.y), vec2(rise.x, right.y)),
                four(vec2(a.x, da.y), vec2(b.x, db.y), vec2(left.x, fall.y), vec2(right.x, rise.y))) * size.y;
}

vec2 waving(vec2 p, float t) { // slope of three waves that cross
    vec2 slope = vec2(0.0);
    for (int i = 0; i < 3; i++) {
        float k = float(i), turned = k * 2.1 + 0.4;
        vec2 d = vec2(cos(turned), sin(turned));
        float at = dot(p, d) * (2.3 + 1.1 * k) + t * (0.55 + 0.21 * k) + 1.3 * sin(dot(p, d.yx) * (1.1 + 0.4 * k) - 0.3 * t);
        slope += d * cos(at) / (1.0 + 0.6 * k);
    }
    return slope;
}

void main() {
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    vec2 p = isf_FragNormCoord, at = (p - 0.5) * aspect;
    if (PASSINDEX == 0) {
        float sum = 0.0;
        for (int y = -2; y <= 2; y++)
            for (int x = -2; x <= 2; x++)
                sum += light(IMG_NORM_PIXEL(inputImage, p + vec2(x, y) * 0.8 / RENDERSIZE).rgb) / 25.0;
        gl_FragColor = vec4(sqrt(sum + 0.05)); // dark parts have forms, too
        return;
    }
    vec3 here = IMG_THIS_PIXEL(inputImage).rgb;
    vec2 tilt = sloping(p) * depth * 0.55 + waving(at * 2.0, TIME) * waves * 0.4;
    vec3 normal = normalize(vec3(-tilt, 1.0));
    float a = turn * 3.14159265, c = cos(a), s = sin(a);
    vec2 seen = mat2(c, -s, s, c) * (normal.xy + at * 0.22); // the eye is near: flat parts mirror, too
    float row = seen.y * lamps + 0.35 * seen.x;
    float blur = fwidth(row) + mix(0.42, 0.015, polish);
    float off = abs(fract(row) - 0.5);
    float tube = smoothstep(0.21 + blur, 0.21 - blur, off) * min(1.0, 0.5 / max(fwidth(row), 0.5) + 0.3);
    float rim = smoothstep(0.06 + blur, 0.0, abs(off - 0.33));
    float sky = 0.5 + 0.5 * seen.y, steep = 1.0 - normal.z;
    vec3 own = here / max(max(here.r, max(here.g, here.b)), 0.12);
    vec3 metal = mix(vec3(0.92, 0.95, 1.0), mix(vec3(light(own)), own, 1.5), tint);
    vec3 mirrored = metal * (0.05 + 0.20 * sky * sky + 0.78 * tube * (0.35 + 0.65 * sky) + 0.18 * rim);
    mirrored += tube * tube * smoothstep(0.25, 0.8, steep) * 0.5;
    gl_FragColor = vec4(clamp(mirrored + here * 0.22 * metal, 0.0, 1.0), 1.0);
}
