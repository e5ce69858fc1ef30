"""What an engine answers with, and what it counts."""
