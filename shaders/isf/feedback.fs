/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Trails that turn, grow and change hue: the picture is seen in its own past",
    "CATEGORIES": ["Feedback"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "amount", "LABEL": "how much of the past is seen", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.75},
        {"NAME": "zoom", "LABEL": "growth", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.25},
        {"NAME": "turn", "LABEL": "rotation", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.1},
        {"NAME": "hue", "LABEL": "drift of hue", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.15},
        {"NAME": "decay", "LABEL": "how fast trails fade", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.3},
        {"NAME": "drift", "LABEL": "upward drift", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0}
    ],
    "PASSES": [{"TARGET": "past", "PERSISTENT": true}]
}*/
// Rates are per second: what is seen does not depend on the frame rate.

vec3 turned(vec3 colour, float angle) { // about the grey axis
    float c = cos(angle), s = sin(angle);
    return colour * c + cross(vec3(0.57735), colour) * s + vec3(dot(colour, vec3(1.0 / 3.0))) * (1.0 - c);
}

void main() {
    vec4 now = IMG_THIS_PIXEL(inputImage);
    float dt = clamp(TIMEDELTA, 0.0, 0.1);
    vec2 aspect = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
    vec2 at = (isf_FragNormCoord - 0.5) * aspect;
    float angle = turn * 1.2 * dt;
    at = mat2(cos(angle), -sin(angle), sin(angle), cos(angle)) * at * exp(-zoom * 0.9 * dt);
    at.y -= drift * 0.35 * dt;
    vec2 from = at / aspect + 0.5;
    from = 1.0 - abs(1.0 - mod(from, 2.0)); // mirrored at the edges
    vec3 before = turned(IMG_NORM_PIXEL(past, from).rgb, hue * 2.5 * dt) * exp(-dt * (0.05 + 4.0 * decay * decay));
    float light = dot(now.rgb, vec3(0.2126, 0.7152, 0.0722));
    vec3 lighter = max(now.rgb, before);
    vec3 laid = mix(before, now.rgb, clamp(0.08 + light * 1.1, 0.0, 1.0));
    gl_FragColor = vec4(clamp(mix(now.rgb, mix(laid, lighter, 0.55), amount), 0.0, 1.0), 1.0);
}
