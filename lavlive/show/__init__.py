"""The stage's loop: hands in, parameters out, pictures in, the canvas out."""
