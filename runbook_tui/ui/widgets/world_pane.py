"""What no real migration shows: every resolver's cache, both queues, the numbered mails, world time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from runbook_tui.ui.untrusted import untrusted_line
from runbook_tui.ui.words import took

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from runbook_tui.core.rehearsal import QueueView, ResolverView, WorldView


class WorldPane(VerticalScroll, can_focus=True):
    """The world at a glance."""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(id="world-text")

    def show(self, view: WorldView | str) -> None:
        """Draw it anew; a text is why it cannot be seen."""
        lines = world_lines(view) if not isinstance(view, str) else [untrusted_line(view, "$warning")]
        self.query_one("#world-text", Static).update(Content("\n").join(lines))


def world_lines(view: WorldView) -> list[Content]:
    """Give the world, one line a thing."""
    return [
        _time(view),
        *(_resolver(resolver) for resolver in view.resolvers),
        *(_queue(queue) for queue in view.queues),
        _mails(view),
        *([_faults(view)] if view.faults else []),
    ]


def world_summary(view: WorldView | str) -> Content:
    """Give the world on one line."""
    if isinstance(view, str):
        return untrusted_line(view, "$warning")
    queues = ", ".join(f"{queue.host} {queue.total}" for queue in view.queues)
    ttl = f"next TTL ends in {took(view.next_expiry)}" if view.next_expiry is not None else "nothing cached"
    return Content.styled(" · ", "$muted").join(
        [Content(ttl), Content(f"queued {queues}"), _mails(view), *([_faults(view)] if view.faults else [])]
    )


def _time(view: WorldView) -> Content:
    now = datetime.fromtimestamp(view.now, UTC)
    return Content.assemble((f"{now:%a %d %b %H:%M:%S}", "bold"), (f"  world time, {view.factor:g}-fold", "$muted"))


def _resolver(view: ResolverView) -> Content:
    name = untrusted_line(f"{view.name:<11}")
    if not view.running:
        return Content.assemble(name, ("down", "$warning"), (f"  {view.manner}", "$muted"))
    held = [_cache(text, left) for text, left in view.caches]
    return Content.assemble(name, Content.styled(" | ", "$muted").join(held))


def _cache(text: str, left: float) -> Content:
    if not text:
        return Content.styled("empty", "$muted")
    return Content.assemble(untrusted_line(text), (f" {took(left)}", "$muted"))


def _queue(view: QueueView) -> Content:
    name = f"queue {view.host:<5}"
    if not view.running:
        return Content.assemble(name, (f"{view.total} mails, Postfix is stopped", "$muted"))
    if not view.total:
        return Content.assemble(name, ("empty", "$muted"))
    counts = ", ".join(f"{count} {queue}" for queue, count in view.counts if count)
    return Content.assemble(name, counts, (f", oldest {took(view.oldest)}", "$muted"))


def _mails(view: WorldView) -> Content:
    mails = view.mails
    where = f" sent: {mails.old} on old, {mails.new} on new, {mails.under_way} under way"
    parts: list[Content | tuple[str, str]] = [(f"mail {mails.numbered}", "bold"), Content(where)]
    if mails.bounced:
        parts.append((f", {mails.bounced} bounced", "bold $error"))
    if not view.rate:
        parts.append(("  stream stopped", "$warning"))
    return Content.assemble(*parts)


def _faults(view: WorldView) -> Content:
    return Content.styled("broken: " + ", ".join(sorted(view.faults)), "$warning")
