"""Tests of the name servers."""
