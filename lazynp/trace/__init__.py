"""Floor 7: tracing and jit."""
