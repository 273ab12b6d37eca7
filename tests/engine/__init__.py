"""Tests of the engine with real shells, a real journal and real files."""
