"""What a graph can give out besides its answer."""
