"""OSC: packets in, values out."""
