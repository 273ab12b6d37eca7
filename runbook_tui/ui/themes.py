"""The two themes and the colour of each host's role; every pair used for text has a contrast of 4.5 or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Iterable

DARK = Theme(
    name="mailrunbook-dark",
    primary="#7ab7f5",
    secondary="#93a9c6",
    accent="#7ab7f5",
    foreground="#d8dfe9",
    background="#10151b",
    surface="#151b23",
    panel="#1d2530",
    success="#8fd082",
    warning="#e6bd6a",
    error="#ff8a85",
    dark=True,
    variables={
        "muted": "#93a0b2",
        "rule": "#364354",
        "host-1": "#f0b183",
        "host-2": "#7fd6ca",
        "host-3": "#c9aeff",
        "host-4": "#9fcbff",
        "host-5": "#d9c974",
        "host-6": "#b9dc8f",
        "block-cursor-background": "#2b3f57",
        "block-cursor-foreground": "#f2f6fb",
        "block-cursor-blurred-background": "#243244",
        "block-cursor-blurred-foreground": "#f2f6fb",
        "block-cursor-text-style": "none",
        "border": "#7ab7f5",
        "border-blurred": "#364354",
        "scrollbar": "#364354",
        "scrollbar-background": "#151b23",
        "scrollbar-hover": "#4a5b70",
        "scrollbar-active": "#7ab7f5",
    },
)
LIGHT = Theme(
    name="mailrunbook-light",
    primary="#0a57a4",
    secondary="#48617f",
    accent="#0a57a4",
    foreground="#23282f",
    background="#faf8f4",
    surface="#f4f1ea",
    panel="#e8e4da",
    success="#1c6b30",
    warning="#7c5200",
    error="#b1241b",
    dark=False,
    variables={
        "muted": "#59626d",
        "rule": "#c9c2b4",
        "host-1": "#96450a",
        "host-2": "#00645f",
        "host-3": "#663a9c",
        "host-4": "#0a57a4",
        "host-5": "#655400",
        "host-6": "#3d5e12",
        "block-cursor-background": "#cfe0f3",
        "block-cursor-foreground": "#14181d",
        "block-cursor-blurred-background": "#dde6f0",
        "block-cursor-blurred-foreground": "#14181d",
        "block-cursor-text-style": "none",
        "border": "#0a57a4",
        "border-blurred": "#c9c2b4",
        "scrollbar": "#c9c2b4",
        "scrollbar-background": "#f4f1ea",
        "scrollbar-hover": "#aaa292",
        "scrollbar-active": "#0a57a4",
    },
)
THEMES = (DARK, LIGHT)

ROLE_COLOURS = {"old": "$host-1", "new": "$host-2", "local": "$host-3"}
OTHER_COLOURS = ("$host-4", "$host-5", "$host-6")


def host_style(name: str, names: Iterable[str] = ()) -> str:
    """Give a role's colour: fixed for old, new and local, else by its place among the run's other hosts."""
    if name in ROLE_COLOURS:
        return ROLE_COLOURS[name]
    others = sorted(n for n in names if n not in ROLE_COLOURS)
    place = others.index(name) if name in others else 0
    return OTHER_COLOURS[place % len(OTHER_COLOURS)]
