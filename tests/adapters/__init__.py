"""Tests of the adapters against real servers and real processes."""
