"""Pictures without a library: SVG charts and PNG files."""
