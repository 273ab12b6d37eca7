"""How commands are kept inside the world."""
