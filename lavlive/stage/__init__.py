"""The window, the canvas and its shaders, the panel and the recorder."""
