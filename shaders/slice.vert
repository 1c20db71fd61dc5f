#version 330 core
// A corner of a slice: its place in the slice, and where it goes on the screen, in perspective.

in vec2 place; // 0 to 1, right and down
in vec3 spot;  // x·w, y·w, w; x and y in parts of the screen

out vec2 at;

void main() {
    at = place;
    gl_Position = vec4(2.0 * spot.xy - spot.z, 0.0, spot.z);
}
