"""Floor 6: NumPy functions composed from ops, and the table of their names."""
