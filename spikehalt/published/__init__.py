"""Networks that others published and trained."""
