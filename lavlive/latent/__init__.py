"""From latents to w+: projection, mapper, modulation, smoothing, and the path that joins them."""
