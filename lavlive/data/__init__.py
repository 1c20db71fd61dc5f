"""Bundled weights, model cards and the demo track."""
