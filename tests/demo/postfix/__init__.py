"""Tests of the embedded Postfix."""
