"""Presets and what is done with them: morphs, undo, the kept state of a show."""
