"""mailrunbook: walk through a Markdown runbook on real hosts, one confirmed step at a time."""

__version__ = "0.1.0"
