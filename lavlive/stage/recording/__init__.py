"""The show as a video file."""
