"""No secret that is known reaches the store, the pane, the journal, the transcript or a confirmation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runbook_tui.core.errors import Refused
from runbook_tui.core.feed import Feed
from runbook_tui.core.model import LOCAL, HoldCode, Verify
from runbook_tui.core.redact import KnownSecrets, mark
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.secret import Secret
from runbook_tui.core.verbs import why_held
from runbook_tui.engine import output as engine_output
from runbook_tui.engine.output import Output
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench, confirm, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.events import Event
    from runbook_tui.core.model import Action

CANARY = "canary-7f3a9c"
OCTAL = "canary\\0557f3a9c"
"""What printf makes the canary of: the command itself does not have it."""


def bench_of(tmp_path: Path, *actions: Action, **fields: Any) -> Bench:  # noqa: ANN401 -- fields of Bench
    """Make a bench for a runbook on this machine only, where the canary was given."""
    runbook = a_runbook(*actions)
    fields.setdefault("given", [Secret("relay", CANARY)])
    return Bench(replace(runbook, hosts={LOCAL: runbook.hosts[LOCAL]}), tmp_path / "state", **fields)


def stored(tmp_path: Path) -> bytes:
    """Everything that the runs left on the disk."""
    return b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


async def test_a_run_leaves_no_secret_behind(tmp_path: Path) -> None:
    """Output, a proof, a note and a reason: the mark is everywhere, the canary nowhere, and expectations see it."""
    command = f"printf '{OCTAL} and more\\n'; printf 'canary-7f'; printf '3a9c'"
    first = an_action(
        "a", command, host=LOCAL, expect="^canary.7f3a9c and",
        verifies=(Verify(f"printf '{OCTAL}'", 1, expect="canary.7f3a9c"),),
    )  # fmt: skip
    bench = bench_of(tmp_path, first, an_action("b", "true", host=LOCAL))
    async with bench.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        await engine.note("a", f"the relay has {CANARY}")
        await engine.skip("b", f"because of {CANARY}")
        (attempt,) = engine.state.attempts
        shown, _ = engine.feed(attempt).since(0)
        assert CANARY not in "\n".join(shown)
        assert f"{mark('relay')} and more" in shown
        assert CANARY not in engine.export("md") + engine.export("json")
        assert engine.state.notes[0].text == f"the relay has {mark('relay')}"
    bench.leave()
    assert CANARY.encode() not in stored(tmp_path)
    assert mark("relay").encode() in stored(tmp_path)


async def test_an_action_with_a_secret_in_its_text_is_held(tmp_path: Path) -> None:
    """Also where the secret becomes known only later: from then on it is neither shown nor sent."""
    action = an_action("a", f"echo {CANARY}", host=LOCAL)
    async with bench_of(tmp_path, action, given=()).engine() as engine:
        await engine.consent()
        assert not why_held(engine.state, action)
        engine.give_secret("relay", CANARY)
        (hold,) = why_held(engine.state, action)
        assert hold.code is HoldCode.TELLS
        assert "relay" in hold.why
        assert CANARY not in hold.why
        with pytest.raises(Refused, match="held: its text has the secret relay"):
            await engine.propose("a", Verb.CONFIRM)


async def test_an_edit_brings_no_secret_in(tmp_path: Path) -> None:
    """What is written in its place is refused as the runbook's own text is."""
    bench = bench_of(tmp_path, an_action("a", "true", host=LOCAL))
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(Refused, match="it has the secret relay in it"):
            await engine.propose("a", Verb.EDIT, f"echo {CANARY}")
    bench.leave()
    assert CANARY.encode() not in stored(tmp_path)


async def test_output_is_withheld_whole_for_a_short_secret(tmp_path: Path) -> None:
    """Three characters cannot be found: nothing of what the host says is kept, and the reason is."""
    bench = bench_of(tmp_path, an_action("a", "printf 'x%s\\n' 123", host=LOCAL), given=[Secret("pin", "123")])
    async with bench.engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        (attempt,) = engine.state.attempts
        (line,), _ = engine.feed(attempt).since(0)
        assert line == "(5 bytes withheld, the secret pin is too short to be found in them)"


async def test_a_dry_run_shows_no_secret(tmp_path: Path) -> None:
    """What it printed stands in the confirmation with the mark."""
    action = an_action("a", "true", host=LOCAL, dry_run=f"printf '{OCTAL}'")
    async with bench_of(tmp_path, action).engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert proposal.dry_run is not None
        assert proposal.dry_run.output == f"{mark('relay')}\n"


class Stored:
    """Keeps what an output stores."""

    def __init__(self) -> None:
        self.kept: list[tuple[bytes, str]] = []

    def write(self, raw: bytes, text: str) -> None:
        """Keep it."""
        self.kept.append((raw, text))

    def close(self) -> None:
        """Keep it."""


def an_output(writer: Stored, feed: Feed, secret: str) -> Output:
    """Make an output of an attempt in which a secret is known."""

    def record(event: Event, *, durable: bool = True) -> None:
        raise AssertionError((event, durable))

    return Output("x-1", writer, feed, record, withheld=False, known=KnownSecrets([Secret("relay", secret)]))


async def test_stored_text_stands_for_its_raw_bytes() -> None:
    """A secret over two lines is held until it is whole; the raw bytes come with the lines that stand for them."""
    writer, feed = Stored(), Feed()
    output = an_output(writer, feed, "ab-cd\nef-gh")
    for piece in (b"one\nx ab-", b"cd\n", b"ef-gh y\nla", b"st"):
        output.take(piece)
    output.finish()
    assert writer.kept == [
        (b"one\n", "one\n"), (b"x ab-cd\nef-gh y\n", f"x {mark('relay')}\n{mark('relay')} y\n"), (b"last", "last\n"),
    ]  # fmt: skip


async def test_a_prompt_is_shown_though_it_may_begin_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last characters come after a while in which nothing else came; four characters of a secret never do."""
    monkeypatch.setattr(engine_output, "IDLE", 0.01)
    feed = Feed()
    output = an_output(Stored(), feed, ": topsecret")
    output.take(b"Password: ")
    assert feed.partial == "Password"
    await eventually(lambda: feed.partial == "Password: ")
    output.take(b"top")
    assert feed.partial == "Password"
    output.finish()
