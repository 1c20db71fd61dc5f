"""The stage: where pictures are shown and recorded. It imports no torch."""
