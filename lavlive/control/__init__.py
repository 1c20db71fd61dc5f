"""MIDI, OSC, keyboard, presets, takeover and tempo."""
