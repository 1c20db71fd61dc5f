"""Sound sources, the ring buffer and the resampler."""
