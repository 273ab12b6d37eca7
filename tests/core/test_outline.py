"""The outline in its documented shape, and for people."""

from __future__ import annotations

import json

import pytest

from runbook_tui.core.markdown import outline, outline_text, read
from tests.core.markdown_texts import LIKE_SEED, SHIPPED, annotated, bare, fence, step

STEP_KEYS = set(
    "id title line kind host host_why runnable held_because blocks inline warnings steps".split()  # noqa: SIM905 -- as the page lists them
)
BLOCK_KEYS = {"line", "kind", "commands", "path", "confidence", "why"}


def check_step(found: dict[str, object]) -> None:
    """Assert the documented keys of a step, its blocks and its sub-steps."""
    assert set(found) == STEP_KEYS
    assert isinstance(found["blocks"], list)
    assert isinstance(found["steps"], list)
    for block in found["blocks"]:
        assert set(block) == BLOCK_KEYS
    for inner in found["steps"]:
        check_step(inner)


@pytest.mark.parametrize("path", [LIKE_SEED, *SHIPPED], ids=lambda path: path.name)
def test_the_shape_is_the_documented_one(path: object) -> None:
    """Every key of FORMAT.md and no other, in plain JSON values."""
    found = outline(read(path.read_bytes()))  # type: ignore[attr-defined]  # parametrised with paths
    assert json.loads(json.dumps(found)) == found
    assert list(found) == ["title", "source", "phases", "literals", "problems"]
    assert set(found["source"]) == {"sha256", "encoding"}
    for phase in found["phases"]:
        assert set(phase) == {"title", "role", "line", "blocks", "steps"}
        for inner in phase["steps"]:
            check_step(inner)
    assert all(set(literal) == {"text", "kind", "lines"} for literal in found["literals"])


def test_sub_steps_are_inside_their_step() -> None:
    """Nested items are nested in JSON too."""
    phases = outline(read(LIKE_SEED.read_bytes()))["phases"]
    ready = next(p for p in phases if p["title"] == "Getting ready")
    assert [s["title"] for s in ready["steps"][1]["steps"]] == [
        "remove the list domain from the old aliases", "set the archive folder",
    ]  # fmt: skip


def test_a_runnable_step_and_a_held_one() -> None:
    """`runnable` is true only where nothing holds the step back; otherwise the reasons are given."""
    first = outline(annotated("# P\n\n## Do\n\n" + fence("ls # `x`", "sh {#a .run host=new}")))["phases"][0]["steps"][0]
    assert (first["id"], first["kind"], first["host"], first["runnable"], first["held_because"]) == (
        "a", "command", "new", True, [],
    )  # fmt: skip
    assert first["blocks"][0]["commands"] == ["ls # `x`"]
    held = outline(bare("# P\n\nSee `man ls` and do:\n\n" + fence("ls", "sh")))["phases"][0]["steps"][0]
    assert (held["host"], held["runnable"], held["inline"]) == (None, False, ["man ls"])
    assert held["held_because"] == ["it does not say on which host"]


def test_the_text_names_what_people_ask_for() -> None:
    """Number, title, kind, host and reasons of every step stand in the text."""
    attributes = 'sh {.run .danger .no-return host=new gate=up check=up optional=yes when="it is there" alt=way:on}'
    text = outline_text(annotated(step(fence("ls", attributes))))
    assert "1.1 One step" in text
    marks = "dangerous, point of no return, optional, only when: it is there, a way for way: on, gates: up"
    marks += ", green after it: up"
    assert f"command on new, {marks} (line" in text
