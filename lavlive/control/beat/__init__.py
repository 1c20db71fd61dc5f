"""Beats: tapped, by MIDI clock, and what moves with them."""
