"""One live check a file: what is asked and how a reading becomes a state."""
