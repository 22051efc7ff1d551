"""Miners: which pairs of a batch a loss looks at."""
