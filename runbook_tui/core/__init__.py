"""The pure core: runbook, events, state, transcript. No I/O, no clock, no environment."""
