"""How the operator wants to sit at a run: what the options of `run` and `resume` say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options; the defaults are what a bare command means."""

    plain: bool = False
    read_only: bool = False
    mouse: bool = True
    debug: bool = False
