"""Tests of mailrunbook: every adapter against the real thing on loopback."""
