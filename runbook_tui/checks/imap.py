"""Check `imap`: do people's mailboxes open, and is everything in them that the old server has? See MIGRATION.md C6."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runbook_tui.checks import mailboxes
from runbook_tui.checks.expected import in_phase
from runbook_tui.checks.reached import REFUSED, Judged, Target, nowhere
from runbook_tui.core.contact import ImapAsk, ImapSeen, TlsAsk, Trouble
from runbook_tui.core.errors import SecretError
from runbook_tui.core.markdown.checkvalues import AS_USUAL, MOVED
from runbook_tui.ports import CheckState, Probe, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Self

    from runbook_tui.core.model import CheckSpec
    from runbook_tui.core.secret import Secret
    from runbook_tui.ports import Sight

IMAPS = 993
STARTTLS_PORT = 143
MOST_SILENT = 3
"""Logins without an answer, one after the other, after which none is tried by itself: they may count as wrong."""

_NEXT_ONE = {Trouble.UNREACHABLE, Trouble.REFUSED, Trouble.SILENT}
NOT_AGAIN = "not tried again by itself, so that nobody is locked out; ask for a look when the password is right"


@dataclass(slots=True)
class Login:
    """Whether a server may be logged in to without being asked: not after a refusal, nor after much silence."""

    refused: ImapSeen | None = None
    silent: int = 0

    def begin(self) -> None:
        """Count a login whose end is not known yet; a look that is given up leaves it so."""
        self.silent += 1

    def note(self, seen: ImapSeen) -> None:
        """Take in how it went."""
        silent = seen.stage == "LOGIN" and seen.trouble in {Trouble.HUNG, Trouble.RESET}
        self.silent = self.silent if silent else 0
        if seen.trouble is Trouble.LOGIN:
            self.refused = seen
        elif seen.trouble is None:
            self.refused = None

    @property
    def ended_badly(self) -> bool:
        """Whether none is to be tried."""
        return self.refused is not None or self.silent >= MOST_SILENT


@dataclass(slots=True)
class ImapProbe(Probe):
    """Looks at the mailbox of `user` on the host, and with `against` at the same one on another host beside it.

    In a phase `refused` wants the host closed, `moved` the host open with all that `against` had when it was last
    seen open, and `against` closed; `up` and `open` look at the host alone.
    """

    target: Target
    user: str = ""
    secret: str = ""
    select: str = "INBOX"
    against: Target | None = None
    name: str = ""
    ca: str = ""
    phases: Mapping[str, object] = field(default_factory=dict)
    columns: tuple[str, ...] = field(default=("folder", "mails", "unseen", "UIDVALIDITY", ""), init=False)
    _last: tuple[ImapSeen, datetime] | None = field(default=None, init=False)
    _logins: tuple[Login, Login] = field(default_factory=lambda: (Login(), Login()), init=False)

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        o = spec.options
        user, name, ca, against = (resolve(str(o.get(key) or "")) for key in ("user", "name", "ca", "against"))
        target = Target.of(spec, resolve, IMAPS)
        return cls(
            target, user, str(o.get("secret") or ""), resolve(str(o.get("select") or "INBOX")),
            replace(target, host=against, address="") if against else None, name, ca, spec.phases,
        )  # fmt: skip

    def __post_init__(self) -> None:
        """Head the table by the servers that are looked at."""
        if self.against is not None:
            self.columns = ("folder", self.against.host, self.target.host, "unseen", "UIDVALIDITY")

    @property
    def asks(self) -> str:
        """What is sent."""
        where = f"{self.target}" + (f" and {self.against}" if self.against else "")
        if not self.secret:
            return f"IMAP to {where}: CAPABILITY; nobody logs in"
        return f"IMAP to {where}: login as {self.user}, LIST, LSUB, STATUS, EXAMINE {self.select}, one body (PEEK)"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        expect = in_phase("", self.phases, sight.phase)
        if expect not in {"", *AS_USUAL, REFUSED, MOVED}:
            return Reading(CheckState.UNKNOWN, f"the phase {sight.phase} expects neither up nor refused: {expect}")
        try:
            secret = await sight.secrets.get(self.secret) if self.secret else None
        except SecretError as error:
            if expect == REFUSED:
                return await self._shut(sight, self.target)
            return Reading(CheckState.UNKNOWN, error.title, error=str(error))
        if expect == REFUSED:
            return await self._not_yet(sight, secret)
        if expect == MOVED and self.against is not None:
            return await self._moved(sight, self.against, secret)
        looks = [self._look(sight, self.target, self._logins[0], secret)]
        if self.against is not None and not expect:
            looks.append(self._look(sight, self.against, self._logins[1], secret))
        seen = await asyncio.gather(*looks)
        if len(seen) > 1:
            self._remember(seen[1], sight)
        return self._judged(seen)

    async def _not_yet(self, sight: Sight, secret: Secret | None) -> Reading:
        """Look that the server refuses, and keep what the other one has until it is closed too."""
        if self.against is None or secret is None:
            return await self._shut(sight, self.target)
        reading, old = await asyncio.gather(
            self._shut(sight, self.target), self._look(sight, self.against, self._logins[1], secret)
        )
        self._remember(old, sight)
        return reading

    async def _moved(self, sight: Sight, against: Target, secret: Secret | None) -> Reading:
        """Look that all is here now, by what the other one had when it was last open, and that it stays closed."""
        new, old = await asyncio.gather(
            self._look(sight, self.target, self._logins[0], secret), self._shut(sight, against)
        )
        judged = mailboxes.judge(new, self.name or self.target.host, login=bool(self.secret))
        was, at = self._last or (None, None)
        if new.trouble is not None or judged.state is CheckState.FAIL:
            judged = Judged(judged.state, f"{self.target.host}: {judged.says}")
        elif old.state is not CheckState.PASS:
            judged = Judged(old.state, f"{against.host}: {old.value}")
        elif was is None or at is None:
            why = f"{against.host} was never seen open, so nothing is compared"
            judged = Judged(CheckState.WARN, f"{judged.says}; {why}")
        else:
            judged = mailboxes.compare(new, was)
            judged = Judged(judged.state, f"{judged.says}, as it was at {at:%H:%M:%S} UTC")
        return self._reading(judged, new, was)

    async def _shut(self, sight: Sight, target: Target) -> Reading:
        found = await target.find(sight)
        if not found.endpoints:
            return nowhere(found)
        return replace(await target.refusing(sight, found.endpoints), rows=())

    def _remember(self, seen: ImapSeen, sight: Sight) -> None:
        if seen.trouble is None and seen.opened is not None:
            self._last = (seen, sight.now)

    async def _look(self, sight: Sight, target: Target, login: Login, secret: Secret | None) -> ImapSeen:
        """Look at one server, at the first of its addresses that answers, unless it refused the login before."""
        if login.ended_badly and not sight.asked:
            said = login.refused.said if login.refused else ""
            return ImapSeen(Trouble.LOGIN, " · ".join(part for part in (said, NOT_AGAIN) if part), "LOGIN")
        began = sight.monotonic
        found = await target.find(sight)
        seen = ImapSeen(found.trouble or Trouble.NO_NAME, found.said)
        left = max(1.0, target.patience - (sight.monotonic - began))
        begins = "imap" if target.port == STARTTLS_PORT else ""
        name = (self.name if target is self.target else "") or target.name(sight)
        ask = ImapAsk(self.user, TlsAsk(name, self.ca, begins), self.select)
        tries = found.endpoints[:2]
        for endpoint in tries:
            login.begin()
            patient = replace(ask, patience=left / len(tries))
            seen = await sight.net.services.imap(endpoint, patient, secret)
            login.note(seen)
            if seen.trouble not in _NEXT_ONE:
                break
        return seen

    def _judged(self, seen: list[ImapSeen]) -> Reading:
        login = bool(self.secret)
        new, old = seen[0], seen[1] if len(seen) > 1 else None
        alone = mailboxes.judge(new, self.name or self.target.host, login=login)
        judged = alone
        if old is not None and self.against is not None:
            of_old = mailboxes.judge(old, self.against.host, login=login)
            judged = _beside(alone, of_old, self.target.host, self.against.host)
            if login and new.trouble is None and old.trouble is None and judged.state is not CheckState.FAIL:
                judged = mailboxes.compare(new, old)
        return self._reading(judged, new, old)

    def _reading(self, judged: Judged, new: ImapSeen, old: ImapSeen | None) -> Reading:
        login = bool(self.secret)
        return Reading(
            judged.state, judged.says, _detail(self.asks, new, old), rows=mailboxes.rows(new, old),
            level=float(mailboxes.total(new)) if login and new.trouble is None else None,
            error=judged.says if judged.state is CheckState.UNKNOWN else "",
        )  # fmt: skip


def _beside(new: Judged, old: Judged, new_name: str, old_name: str) -> Judged:
    """Give the worse of two, with the name of its server."""
    order = (CheckState.FAIL, CheckState.UNKNOWN, CheckState.WARN, CheckState.PENDING, CheckState.PASS)
    worse, name = (old, old_name) if order.index(old.state) < order.index(new.state) else (new, new_name)
    return worse if worse.state is CheckState.PASS else Judged(worse.state, f"{name}: {worse.says}")


def _detail(asks: str, new: ImapSeen, old: ImapSeen | None) -> str:
    lines = [asks]
    for word, seen in (("looked", new), *((("the other", old),) if old else ())):
        lines.append(f"{word}: {seen.seconds:.1f} s; {' '.join(sorted(seen.capabilities))}")
    if old is not None and old.capabilities and new.capabilities:
        lines.append(f"capabilities only the other has: {' '.join(sorted(old.capabilities - new.capabilities)) or '-'}")
    return "\n".join(lines)
