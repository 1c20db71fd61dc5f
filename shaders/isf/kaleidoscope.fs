/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Mirrors: two halves, or a rosette of up to sixteen wedges, without a seam",
    "CATEGORIES": ["Geometry"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "wedges", "TYPE": "long", "VALUES": [1, 2, 3, 4, 5, 6, 8, 10, 12, 16], "LABELS": ["mirror", "2", "3", "4", "5", "6", "8", "10", "12", "16"], "DEFAULT": 6},
        {"NAME": "angle", "LABEL": "turn of the mirrors", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0},
        {"NAME": "spin", "LABEL": "how fast they turn", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.05},
        {"NAME": "reach", "LABEL": "how much of the picture", "TYPE": "float", "MIN": 0.2, "MAX": 2, "DEFAULT": 0.9},
        {"NAME": "centre", "LABEL": "where the wedge is cut", "TYPE": "point2D", "MIN": [0, 0], "MAX": [1, 1], "DEFAULT": [0.5, 0.5]}
    ],
    "PASSES": [{"TARGET": "clock", "PERSISTENT": true, "FLOAT": true, "WIDTH": 1, "HEIGHT": 1}, {}]
}*/
// The clock lets the spin change without a jump. Two reads a pixel.

const float PI = 3.14159265;

void main() {
    float turned = IMG_NORM_PIXEL(clock, vec2(0.5)).r;
    if (PASSINDEX == 0) {
        gl_FragColor = vec4(mod(turned + clamp(TIMEDELTA, 0.0, 0.1) * spin * 0.6, 4.0 * PI)); // two turns: half of it is used
        return;
    }
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    vec2 at = (isf_FragNormCoord - 0.5) * aspect;
    float rest = angle * PI + turned;
    vec2 from;
    if (wedges == 1) {
        vec2 along = vec2(cos(angle * PI), sin(angle * PI));
        at -= along * min(dot(at, along), 0.0) * 2.0;
        from = at * reach;
    } else {
        float wedge = PI / float(wedges);
        float turn = atan(at.y, at.x) + rest;
        turn = abs(mod(turn, 2.0 * wedge) - wedge) + rest * 0.5;
        from = length(at) * reach * vec2(cos(turn), sin(turn));
    }
    from = from / aspect + centre;
    from = 1.0 - abs(1.0 - mod(from, 2.0));
    gl_FragColor = vec4(IMG_NORM_PIXEL(inputImage, from).rgb, 1.0);
}
