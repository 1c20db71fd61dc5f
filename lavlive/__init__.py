"""lavlive: sound-driven StyleGAN2 pictures, live."""

__version__ = "0.1.0"
