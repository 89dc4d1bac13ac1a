"""Transformations of functions for users: derivatives of any order, batching, rules of one's own. One file per idea; all share `run`."""
