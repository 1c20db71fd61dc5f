"""A page for phones, which the show itself serves; they move the same values and actions as OSC and MIDI."""
