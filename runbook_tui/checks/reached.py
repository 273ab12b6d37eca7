"""What the checks of services share: where a service is, sentences for what went wrong, many addresses in one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core.contact import Found, Trouble
from runbook_tui.core.markdown import checkvalues
from runbook_tui.core.model import LOCAL
from runbook_tui.ports import CheckState, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from runbook_tui.core.contact import Endpoint, TlsSeen
    from runbook_tui.core.model import CheckSpec, Host
    from runbook_tui.ports import Sight

SHARE = 0.9
"""Share of a check's timeout that a client gets, so that its own sentence is heard."""

REFUSED = checkvalues.REFUSED
"""The word of `phases:` for a service that must refuse."""

_BLIND = {
    Trouble.NO_LOOKUP, Trouble.UNREACHABLE, Trouble.NO_AUTHORITIES, Trouble.SILENT, Trouble.NOT_UNDERSTOOD,
}  # fmt: skip
_ORDER = (CheckState.FAIL, CheckState.UNKNOWN, CheckState.WARN, CheckState.PENDING, CheckState.PASS)


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of one address: `cells` are its row's, behind the address."""

    state: CheckState
    says: str
    cells: tuple[str, ...] = ()
    away: bool = False
    """It cannot be reached from here, which says nothing of the service."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a service is: on a host of the run, or at `address` instead, a name or number."""

    host: str
    port: int
    address: str = ""
    patience: float = field(default=9.0, kw_only=True)

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str], port: int = 0, address: str = "address") -> Self:
        """Read it from the front matter."""
        o = spec.options
        return cls(
            resolve(str(o.get("host", ""))), int(str(o.get("port", port))), resolve(str(o.get(address) or "")),
            patience=SHARE * spec.timeout,
        )  # fmt: skip

    def __str__(self) -> str:
        """Give `new:25`."""
        where = f"{self.host} ({self.address})" if self.address else self.host
        return f"{where}, port {self.port}"

    def name(self, sight: Sight) -> str:
        """Give the name or address that is connected to; empty when nothing says it."""
        if self.address:
            return self.address
        shell = sight.hosts.find(self.host)
        return name_of(shell.host) if shell is not None else ""

    async def find(self, sight: Sight) -> Found:
        """Give the addresses."""
        name = self.name(sight)
        if not name:
            return Found(trouble=Trouble.NO_LOOKUP, said=f"nothing says how {self.host} is called")
        return await sight.net.services.find(name, self.port)

    async def refusing(self, sight: Sight, endpoints: Sequence[Endpoint]) -> Reading:
        """Look whether it refuses connections, as it should in some phase."""
        seen = await asyncio.gather(*(sight.net.services.banner(one, "", self.patience) for one in endpoints))
        return together([(one.address, shut(was.trouble)) for one, was in zip(endpoints, seen, strict=True)])


def name_of(host: Host) -> str:
    """Give a host's name on the network: its `name:`, else where its `ssh:` leads."""
    if host.dns_name:
        return host.dns_name
    if host.name == LOCAL:
        return "localhost"
    where = host.ssh.removeprefix("ssh://").rpartition("@")[2]
    if where.startswith("["):
        return where[1:].partition("]")[0]
    return where if where.count(":") > 1 else where.partition(":")[0]


def trouble(kind: Trouble, said: str = "", stage: str = "", tls: TlsSeen | None = None, name: str = "") -> Judged:
    """Judge what kept a client from going further."""
    if tls is not None and tls.code:
        return Judged(CheckState.FAIL, certificate_trouble(tls, name))
    match kind:
        case Trouble.ODD | Trouble.NOT_UNDERSTOOD:
            says = f"at {stage}: {said or kind}" if stage else f"{kind}: {said}"
        case Trouble.HUNG | Trouble.RESET:
            says = " · ".join(part for part in (f"{kind} at {stage}" if stage else str(kind), said) if part)
        case _:
            says = f"{kind}: {said}" if said else str(kind)
    state = CheckState.UNKNOWN if kind in _BLIND else CheckState.FAIL
    return Judged(state, says, away=kind is Trouble.UNREACHABLE)


def shut(kind: Trouble | None, said: str = "") -> Judged:
    """Judge a service that should refuse connections in this phase."""
    match kind:
        case Trouble.REFUSED:
            return Judged(CheckState.PASS, "it refuses connections, as it should")
        case Trouble.RESET:
            return Judged(CheckState.WARN, "it takes the connection and closes it; it should refuse")
        case None:
            return Judged(CheckState.FAIL, f"it answers, but should refuse now · {said}" if said else
                          "it answers, but should refuse now")  # fmt: skip
        case _ if kind in _BLIND | {Trouble.NO_NAME}:
            # A packet filter drops silently, and so do networks that let nobody out: neither proves a refusal.
            return Judged(CheckState.UNKNOWN, f"{kind}: that is no proof that it refuses")
        case _:
            return Judged(CheckState.FAIL, "it takes connections, but should refuse now")


def certificate_trouble(seen: TlsSeen, name: str) -> str:
    """Say why a certificate is not good, by OpenSSL's code (x509_vfy.h)."""
    found = seen.certificate
    issuer = found.issuer if found else "its issuer"
    match seen.code:
        case 10:
            since = f" on {found.not_after:%Y-%m-%d}" if found else ""
            return f"its certificate expired{since}"
        case 9:
            since = f" before {found.not_before:%Y-%m-%d}" if found else " yet"
            return f"its certificate is not valid{since}"
        case 18:
            return "its certificate is self-signed: nobody vouches for it"
        case 19:
            return f"the authority at the end of its chain is not known here: {issuer}"
        case 20 | 21 if seen.sent > 1:
            return f"the authority at the end of its chain is neither sent nor known here (issuer: {issuer})"
        case 20 | 21:
            return f"its chain is incomplete: the certificate of {issuer} is neither sent nor known here"
        case 62 | 64:
            names = f", only for {', '.join(found.names[:5]) or 'nobody'}" if found else ""
            return f"its certificate is not for {name}{names}"
        case _:
            return f"its certificate is not good: {seen.said}"


def together(found: Sequence[tuple[str, Judged]], good: str = "", level: float | None = None) -> Reading:
    """Make one reading of what was found at each address, the worst first.

    What cannot be reached from here while others are as they should be is a warning: half was not looked at.
    """
    if not found:
        return Reading(CheckState.UNKNOWN, "there is nothing to look at")
    worst = min((one.state for _, one in found), key=_ORDER.index)
    alike = [(where, one) for where, one in found if one.state is worst]
    if worst is CheckState.UNKNOWN and all(one.away for _, one in alike) and len(alike) < len(found):
        worst = CheckState.WARN
    if worst is CheckState.PASS and good:
        says = good
    else:
        where, first = alike[0]
        says = f"{where}: {first.says}" if len(found) > 1 else first.says
    return Reading(
        worst, says, "\n".join(f"{where}: {one.says}" for where, one in found), level=level,
        rows=tuple(Row((where, *one.cells, one.says), one.state) for where, one in found),
        error=says if worst is CheckState.UNKNOWN else "",
    )  # fmt: skip


def nowhere(found: Found) -> Reading:
    """Give the reading of a name that leads nowhere."""
    judged = trouble(found.trouble or Trouble.NO_NAME, found.said)
    return Reading(judged.state, judged.says, error=judged.says if judged.state is CheckState.UNKNOWN else "")
