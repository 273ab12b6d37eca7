"""One outside thing a file; each stands behind a Protocol of ports."""
