#version 330 core
// A screen's picture on its display: turned and flipped, in 8 bits, with screen.frag's pattern against bands.

in vec2 place;
out vec4 colour;

uniform sampler2D canvas;
uniform mat2 turn; // about the middle

float pattern(vec2 pixel) { // interleaved gradient noise (Jimenez, 2014)
    return fract(52.9829189 * fract(dot(pixel, vec2(0.06711056, 0.00583715))));
}

void main() {
    vec2 at = turn * (place - 0.5) + 0.5;
    colour = vec4(texture(canvas, at).rgb + (pattern(gl_FragCoord.xy) - 0.5) / 255.0, 1.0);
}
