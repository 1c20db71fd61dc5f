"""Who takes the canvas besides the audience: streams, and other programs. Each in a thread of its own."""
