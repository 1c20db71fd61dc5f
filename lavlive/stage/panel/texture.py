"""Pictures in the panel: textures of the panel's own OpenGL context."""

from __future__ import annotations

import numpy as np
from OpenGL import GL


def upload(pixels: np.ndarray, texture: int | None = None) -> int:
    """Make a texture of uint8 [H, W, 3], or write it into one of that size; returns OpenGL's number."""
    if texture is None:
        texture = int(GL.glGenTextures(1))
    height, width, _ = pixels.shape
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
    GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR)
    GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR)
    data = np.ascontiguousarray(pixels)
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_RGB, width, height, 0, GL.GL_RGB, GL.GL_UNSIGNED_BYTE, data)
    return texture


def delete(textures: list[int]) -> None:
    """Let go of textures."""
    if textures:
        GL.glDeleteTextures(textures)
