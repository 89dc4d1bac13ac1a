"""Floor 2: graph -> graph. `passes.py` is the ordered list of passes; each other file is one idea, a rule set or a pass."""
