"""Floor 3: what runs a graph. `reference` is the meaning, `c` is the speed."""
