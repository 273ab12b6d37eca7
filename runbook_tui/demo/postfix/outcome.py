"""What became of one recipient in one attempt, and the log line that says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_tui.demo.postfix.queue import Recipient


class Status(StrEnum):
    """The word after `status=` in the log."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    SOFT = "SOFTBOUNCE"  # it would have bounced, but for soft_bounce=yes
    DELIVERABLE = "deliverable"
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recipient's fate: the delivery agent, the host it spoke to, an enhanced status code (RFC 3463), words."""

    recipient: Recipient
    agent: str
    status: Status
    dsn: str
    text: str
    relay: str = "none"

    @property
    def left(self) -> bool:
        """Whether the recipient stays in the queue."""
        return self.status in {Status.DEFERRED, Status.SOFT}

    def softened(self) -> Outcome:
        """Give what soft_bounce=yes makes of it."""
        if self.status is not Status.BOUNCED:
            return self
        return replace(self, status=Status.SOFT, dsn=f"4{self.dsn[1:]}")

    def probed(self) -> Outcome:
        """Give what `sendmail -bv` says of it."""
        status = Status.DELIVERABLE if self.status is Status.SENT else Status.UNDELIVERABLE
        return replace(self, status=status)

    def line(self, queue_id: str, delay: float, attempt: float) -> str:
        """Give the log line; `delay` is the mail's age and `attempt` what this attempt took, in seconds."""
        original = self.recipient.original
        came_as = f" orig_to=<{original}>," if original and original != self.recipient.address else ""
        delays = f"{brief(delay - attempt)}/0/0/{brief(attempt)}"
        return (
            f"{queue_id}: to=<{self.recipient.address}>,{came_as} relay={self.relay}, delay={brief(delay)}, "
            f"delays={delays}, dsn={self.dsn}, status={self.status} ({self.text})"
        )


def brief(seconds: float) -> str:
    """Give a duration as Postfix logs it: two digits that count, at most."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{max(seconds, 0):.2g}"


def outcome(recipient: Recipient, agent: str, dsn: str, text: str, relay: str = "none") -> Outcome:
    """Make an outcome whose status follows from the first digit of `dsn`."""
    status = {"2": Status.SENT, "4": Status.DEFERRED}.get(dsn[0], Status.BOUNCED)
    return Outcome(recipient, agent, status, dsn, text, relay)
