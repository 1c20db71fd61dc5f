"""The operator's panel."""
