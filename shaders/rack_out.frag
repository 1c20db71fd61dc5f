#version 330 core
// From the rack back to the canvas: over black, dimmed for blackout.

in vec2 place;
out vec4 colour;

uniform sampler2D picture;
uniform float light;

void main() {
    vec4 last = texture(picture, place);
    colour = vec4(last.rgb * last.a * light, 1.0);
}
