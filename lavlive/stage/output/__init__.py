"""Where the canvas is shown: a window, a whole monitor, or nowhere."""
