"""Between stage and engine: shared memory, and the supervisor that keeps an engine running."""
