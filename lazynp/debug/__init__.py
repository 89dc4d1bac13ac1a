"""Tools that look at programs: the run command, DebugMode, explanations."""
