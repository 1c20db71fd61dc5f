"""What is seen: pictures scaled and mixed, the flash limiter, in OpenGL and in memory."""
