"""From files and arrays to the arrays that graphs take."""
