"""Interactive Shader Format: files of others and our own, read with tolerance and drawn in OpenGL 3.3."""
