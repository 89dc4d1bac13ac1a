"""Floor 1: the op table. An operation is one entry in one of these files; everything else is generic over kinds."""
