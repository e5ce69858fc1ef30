"""Token layouts: which rows stand for which tokens."""
