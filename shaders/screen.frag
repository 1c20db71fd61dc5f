#version 330 core
// The canvas on a screen of 8 bits. A fixed pattern of less than one step hides the bands that a
// picture of 8 bits would show when it is spread over many pixels.

in vec2 place;
out vec4 colour;

uniform sampler2D canvas;

float pattern(vec2 pixel) { // interleaved gradient noise (Jimenez, 2014)
    return fract(52.9829189 * fract(dot(pixel, vec2(0.06711056, 0.00583715))));
}

void main() {
    colour = vec4(texture(canvas, place).rgb + (pattern(gl_FragCoord.xy) - 0.5) / 255.0, 1.0);
}
