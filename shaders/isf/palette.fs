/*{
    "ISFVSN": "2",
    "CREDIT": "lavlive, MIT",
    "DESCRIPTION": "Colour: the picture's light through one of 24 palettes, and exposure, contrast, saturation",
    "CATEGORIES": ["Color"],
    "INPUTS": [
        {"NAME": "inputImage", "TYPE": "image"},
        {"NAME": "palette", "TYPE": "long", "VALUES": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23], "LABELS": ["embers", "ice", "aurora", "violet", "gold", "deep-sea", "rose", "acid", "sunset", "mono", "negative", "copper", "jade", "neon", "midnight", "blood", "desert", "ultraviolet", "moss", "candy", "fire-and-ice", "teal-orange", "infrared", "paper"], "DEFAULT": 0},
        {"NAME": "amount", "LABEL": "how much of the palette", "TYPE": "float", "MIN": 0, "MAX": 1, "DEFAULT": 0.8},
        {"NAME": "exposure", "LABEL": "in stops", "TYPE": "float", "MIN": -2, "MAX": 2, "DEFAULT": 0},
        {"NAME": "contrast", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0.2},
        {"NAME": "saturation", "TYPE": "float", "MIN": 0, "MAX": 2, "DEFAULT": 1},
        {"NAME": "shift", "LABEL": "along the palette", "TYPE": "float", "MIN": -1, "MAX": 1, "DEFAULT": 0}
    ],
    "PASSES": [{"TARGET": "ramp", "WIDTH": 256, "HEIGHT": 1}, {}]
}*/
// The chosen palette is drawn into a row of 256; then two reads a pixel.

const vec3 STOPS[120] = vec3[120](
    vec3(0.039, 0.016, 0.031), vec3(0.290, 0.051, 0.118), vec3(0.702, 0.149, 0.118), vec3(0.961, 0.541, 0.165), vec3(1.000, 0.945, 0.788),
    vec3(0.008, 0.024, 0.059), vec3(0.043, 0.169, 0.322), vec3(0.173, 0.498, 0.690), vec3(0.604, 0.863, 0.941), vec3(1.000, 1.000, 1.000),
    vec3(0.008, 0.031, 0.067), vec3(0.031, 0.231, 0.227), vec3(0.071, 0.627, 0.478), vec3(0.553, 0.949, 0.643), vec3(0.953, 1.000, 0.878),
    vec3(0.031, 0.008, 0.059), vec3(0.200, 0.067, 0.369), vec3(0.541, 0.180, 0.769), vec3(0.898, 0.541, 0.941), vec3(1.000, 0.941, 0.984),
    vec3(0.024, 0.016, 0.008), vec3(0.227, 0.141, 0.031), vec3(0.612, 0.416, 0.102), vec3(0.910, 0.737, 0.333), vec3(1.000, 0.965, 0.847),
    vec3(0.004, 0.016, 0.039), vec3(0.024, 0.165, 0.290), vec3(0.043, 0.435, 0.541), vec3(0.208, 0.788, 0.722), vec3(0.914, 1.000, 0.949),
    vec3(0.039, 0.012, 0.024), vec3(0.310, 0.071, 0.188), vec3(0.710, 0.227, 0.392), vec3(0.949, 0.604, 0.659), vec3(1.000, 0.953, 0.933),
    vec3(0.012, 0.024, 0.012), vec3(0.122, 0.290, 0.031), vec3(0.498, 0.749, 0.039), vec3(0.847, 1.000, 0.165), vec3(0.984, 1.000, 0.878),
    vec3(0.031, 0.016, 0.059), vec3(0.294, 0.086, 0.314), vec3(0.761, 0.227, 0.298), vec3(0.976, 0.584, 0.227), vec3(1.000, 0.941, 0.690),
    vec3(0.000, 0.000, 0.000), vec3(0.165, 0.165, 0.180), vec3(0.424, 0.424, 0.447), vec3(0.706, 0.706, 0.722), vec3(1.000, 1.000, 1.000),
    vec3(1.000, 1.000, 1.000), vec3(0.725, 0.706, 0.690), vec3(0.455, 0.431, 0.424), vec3(0.192, 0.176, 0.188), vec3(0.000, 0.000, 0.000),
    vec3(0.020, 0.012, 0.012), vec3(0.231, 0.102, 0.071), vec3(0.553, 0.271, 0.153), vec3(0.851, 0.565, 0.416), vec3(1.000, 0.918, 0.859),
    vec3(0.008, 0.024, 0.020), vec3(0.047, 0.227, 0.173), vec3(0.169, 0.541, 0.388), vec3(0.573, 0.863, 0.690), vec3(0.957, 1.000, 0.965),
    vec3(0.024, 0.004, 0.059), vec3(0.361, 0.039, 0.478), vec3(1.000, 0.122, 0.541), vec3(1.000, 0.690, 0.180), vec3(0.957, 1.000, 0.416),
    vec3(0.008, 0.008, 0.039), vec3(0.071, 0.071, 0.243), vec3(0.184, 0.247, 0.627), vec3(0.478, 0.627, 0.941), vec3(0.933, 0.957, 1.000),
    vec3(0.020, 0.000, 0.000), vec3(0.239, 0.000, 0.024), vec3(0.612, 0.039, 0.078), vec3(0.910, 0.290, 0.227), vec3(1.000, 0.851, 0.769),
    vec3(0.047, 0.027, 0.020), vec3(0.353, 0.204, 0.125), vec3(0.725, 0.475, 0.290), vec3(0.914, 0.753, 0.541), vec3(1.000, 0.961, 0.878),
    vec3(0.016, 0.000, 0.047), vec3(0.133, 0.024, 0.478), vec3(0.353, 0.176, 1.000), vec3(0.710, 0.541, 1.000), vec3(0.965, 0.937, 1.000),
    vec3(0.016, 0.020, 0.012), vec3(0.145, 0.188, 0.059), vec3(0.400, 0.463, 0.122), vec3(0.725, 0.749, 0.345), vec3(0.976, 0.973, 0.839),
    vec3(0.071, 0.024, 0.102), vec3(0.416, 0.122, 0.478), vec3(0.941, 0.310, 0.627), vec3(0.498, 0.847, 0.941), vec3(1.000, 0.976, 0.941),
    vec3(0.000, 0.063, 0.122), vec3(0.039, 0.353, 0.541), vec3(0.847, 0.910, 0.910), vec3(0.941, 0.478, 0.165), vec3(0.227, 0.024, 0.016),
    vec3(0.008, 0.063, 0.082), vec3(0.043, 0.310, 0.361), vec3(0.373, 0.604, 0.588), vec3(0.941, 0.643, 0.376), vec3(1.000, 0.941, 0.863),
    vec3(0.000, 0.000, 0.039), vec3(0.227, 0.000, 0.376), vec3(0.753, 0.063, 0.345), vec3(1.000, 0.565, 0.188), vec3(1.000, 1.000, 0.878),
    vec3(0.106, 0.102, 0.114), vec3(0.357, 0.325, 0.282), vec3(0.659, 0.596, 0.498), vec3(0.867, 0.816, 0.706), vec3(0.980, 0.961, 0.902)
);

void main() {
    if (PASSINDEX == 0) {
        float at = clamp((gl_FragCoord.x - 0.5) / 255.0, 0.0, 1.0) * 4.0;
        int first = palette * 5 + int(min(floor(at), 3.0));
        float share = at - min(floor(at), 3.0);
        gl_FragColor = vec4(mix(STOPS[first], STOPS[first + 1], share * share * (3.0 - 2.0 * share)), 1.0);
        return;
    }
    vec3 c = clamp(IMG_THIS_PIXEL(inputImage).rgb * exp2(exposure), 0.0, 1.0);
    c = contrast >= 0.0 ? mix(c, c * c * (3.0 - 2.0 * c), contrast) : mix(c, vec3(0.5), -contrast * 0.7);
    float light = dot(c, vec3(0.2126, 0.7152, 0.0722));
    float at = light + shift;
    at = 1.0 - abs(1.0 - mod(at, 2.0));
    vec3 mapped = IMG_NORM_PIXEL(ramp, vec2((at * 255.0 + 0.5) / 256.0, 0.5)).rgb;
    vec3 graded = mix(c, mapped, amount);
    float grey = dot(graded, vec3(0.2126, 0.7152, 0.0722));
    gl_FragColor = vec4(clamp(mix(vec3(grey), graded, saturation), 0.0, 1.0), 1.0);
}
