#version 330 core
// One triangle that covers the target. Row 0 of every texture is the top of the picture.

out vec2 place; // 0 to 1, right and down

uniform float upright = 0.0; // 1 for the window, whose first row is at the bottom

void main() {
    vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    place = mix(corner, vec2(corner.x, 1.0 - corner.y), upright);
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
