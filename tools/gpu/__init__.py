"""Scripts for a machine with an NVIDIA GPU that is at hand for a quarter of an hour."""
