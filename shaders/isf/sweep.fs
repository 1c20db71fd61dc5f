/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Slats turn over one after the other, along a direction",
    "CATEGORIES": ["Transition"],
    "INPUTS": [
        {"NAME": "startImage", "TYPE": "image"},
        {"NAME": "endImage", "TYPE": "image"},
        {"NAME": "progress", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0},
        {"NAME": "slats", "TYPE": "float", "MIN": 1, "MAX": 40, "DEFAULT": 12},
        {"NAME": "angle", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.12}
    ]
}*/
// One read a pixel; about 40 operations.

void main() {
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    vec2 along = vec2(cos(angle * 3.14159265), sin(angle * 3.14159265));
    vec2 at = (isf_FragNormCoord - 0.5) * aspect;
    float reach = dot(abs(along), aspect) * 0.5;
    float place = (dot(at, along) / reach * 0.5 + 0.5) * slats;
    float slat = min(floor(place), slats - 1.0);
    float begins = slat / slats * 0.65;
    float turn = clamp((progress - begins) / 0.35, 0.0, 1.0);
    turn = turn * turn * (3.0 - 2.0 * turn) * 3.14159265;
    float narrow = max(abs(cos(turn)), 1e-3);
    float from = (place - slat - 0.5) / narrow;
    vec2 p = isf_FragNormCoord + along / aspect * (from - (place - slat - 0.5)) / slats * reach * 2.0;
    bool gap = abs(from) > 0.5;
    bool turned = turn > 1.5707963;
    vec3 c = turned ? IMG_NORM_PIXEL(endImage, clamp(p, 0.0, 1.0)).rgb : IMG_NORM_PIXEL(startImage, clamp(p, 0.0, 1.0)).rgb;
    gl_FragColor = vec4(gap ? vec3(0.0) : c * (0.35 + 0.65 * narrow), 1.0);
}
