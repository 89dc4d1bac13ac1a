"""Floor 4: storages, forcing, caches, counters."""
