"""Whole journeys: the program as a user runs it, against real SSH servers and in a real terminal."""
