"""What generator and encoder share on an NVIDIA GPU: streams, captured graphs, pinned memory."""
