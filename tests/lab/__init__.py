"""Tests that need root: hosts with an /etc of their own."""
