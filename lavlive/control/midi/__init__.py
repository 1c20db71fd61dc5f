"""MIDI: ports, messages, bindings, learning and takeover."""
