"""Floor 0: the graph. Nodes, op records, types, rewriting, verification, printing; nothing but the standard library and NumPy."""
