"""What ops are made of: domain, attributes, `Op` and the writer of function bodies."""
