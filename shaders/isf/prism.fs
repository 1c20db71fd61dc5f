/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "A lens of thick glass: it bulges, and it parts the colours towards the edge",
    "CATEGORIES": ["Distortion"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "split", "LABEL": "how far the colours part", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.35},
        {"NAME": "bulge", "LABEL": "barrel or cushion", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.15},
        {"NAME": "angle", "LABEL": "direction of the split", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0},
        {"NAME": "lateral", "LABEL": "over the whole picture, or at its edge", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.25}
    ]
}*/
// Seven reads a pixel.

void main() {
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    vec2 at = (isf_FragNormCoord - 0.5) * aspect;
    float r2 = dot(at, at);
    vec2 lens = at * (1.0 + bulge * (r2 - 0.35) * 0.9);
    vec2 side = vec2(cos(angle * 3.14159265), sin(angle * 3.14159265)) * 0.35 * lateral;
    vec2 way = (at * r2 * 1.6 * (1.0 - lateral * 0.5) + side) * split * 0.11;
    vec3 sum = vec3(0.0), weights = vec3(0.0);
    for (int i = 0; i < 7; i++) {
        float s = float(i) / 6.0;
        vec3 w = max(vec3(1.0 - abs(s - 0.12) * 2.6, 1.0 - abs(s - 0.5) * 2.6, 1.0 - abs(s - 0.88) * 2.6), 0.0);
        vec2 from = (lens + way * (s - 0.5) * 2.0) / aspect + 0.5;
        sum += w * IMG_NORM_PIXEL(inputImage, 1.0 - abs(1.0 - mod(from, 2.0))).rgb;
        weights += w;
    }
    gl_FragColor = vec4(sum / weights, 1.0);
}
