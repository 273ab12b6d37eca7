"""Keeping what runs in the world inside it: namespaces where they are to be had, else rewriting and Landlock."""
