"""Where graphs run: sessions by name, and the protocol that they share."""
