"""The four failures of a picture by name: what measures them, and what helps."""
