"""Floor 2: graph -> graph transformations of mathematics: derivatives, batching."""
