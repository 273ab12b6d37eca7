"""Measurements beside what users would pick instead; each exits 1 when a goal is missed."""
