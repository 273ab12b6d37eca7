"""Check `http`: does a page answer with the status, and the text, that it should? See MIGRATION.md C19."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runbook_tui.checks.expected import up_in_phase
from runbook_tui.checks.reached import REFUSED, SHARE, Judged, nowhere, shut, together, trouble
from runbook_tui.core.contact import PageAsk, TlsAsk, Trouble
from runbook_tui.ports import CheckState, Probe, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from runbook_tui.core.contact import PageSeen
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight

MOST_TRIES = 2
"""Addresses that are tried, as a browser does, before nobody answers."""

_NEXT_ONE = {Trouble.UNREACHABLE, Trouble.REFUSED, Trouble.SILENT}


@dataclass(slots=True)
class HttpProbe(Probe):
    """Fetches one page; `expect` is a regular expression for the first 64 KiB of it."""

    url: str
    status: object = 200
    expect: str = ""
    phases: Mapping[str, object] = field(default_factory=dict)
    address: str = ""
    ca: str = ""
    patience: float = 9.0
    columns = ("address", "status", "leads to", "says")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        o = spec.options
        url, expect, address, ca = (resolve(str(o.get(key) or "")) for key in ("url", "expect", "address", "ca"))
        return cls(url, o.get("status", 200), expect, spec.phases, address, ca, SHARE * spec.timeout)

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"GET {self.url}" + (f" at {self.address}" if self.address else "")

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        wanted = up_in_phase(self.status, self.phases, sight.phase)
        # The text is the usual page's: another status has another page.
        expect = self.expect if wanted == self.status else ""
        try:
            name, port, ask = request(self.url, self.ca)
            status = 0 if wanted == REFUSED else int(str(wanted))
        except ValueError as error:
            return Reading(CheckState.UNKNOWN, f"that cannot be asked: {error}", error=str(error))
        found = await sight.net.services.find(self.address or name, port)
        if not found.endpoints:
            return nowhere(found)
        judged, tries = [], found.endpoints[:MOST_TRIES]
        ask = replace(ask, patience=self.patience / len(tries))
        for endpoint in tries:
            seen = await sight.net.services.page(endpoint, ask)
            judged.append((endpoint.address, judge(seen, status, expect, name)))
            if seen.trouble not in _NEXT_ONE:
                break
        return together(judged if wanted == REFUSED else judged[-1:])


def request(url: str, ca: str = "") -> tuple[str, int, PageAsk]:
    """Give host, port and request of a URL.

    Raises:
        ValueError: it is no http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError(f"{url} is no http:// or https:// URL")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    tls = TlsAsk(parts.hostname, ca) if parts.scheme == "https" else None
    return parts.hostname, port, PageAsk(host, target, tls)


def judge(seen: PageSeen, status: int, expect: str, name: str = "") -> Judged:
    """Judge one answer. `status` 0: connections should be refused. What is cut off proves nothing it lacks."""
    cells = (f"{seen.status} {seen.reason}".strip() if seen.status else "", seen.location)
    if not status:
        found = shut(seen.trouble if not seen.status else None)
    elif not seen.status:
        found = trouble(seen.trouble or Trouble.ODD, seen.said, seen.stage, seen.tls, name)
    elif seen.status != status:
        where = f", which leads to {seen.location}" if seen.location else ""
        found = Judged(CheckState.FAIL, f"status {seen.status} {seen.reason}{where}; {status} is expected")
    elif expect and not re.search(expect, seen.body, re.MULTILINE):
        found = (
            Judged(CheckState.FAIL, f"status {seen.status}, but the page does not match {expect}") if seen.whole else
            Judged(CheckState.UNKNOWN, f"the page was cut off before anything matched {expect}")
        )  # fmt: skip
    elif not seen.whole and seen.trouble is not None and not expect:
        found = Judged(CheckState.WARN, f"status {seen.status}, but the page does not end")
    else:
        found = Judged(CheckState.PASS, f"status {seen.status} {seen.reason}".rstrip())
    return Judged(found.state, found.says, cells, found.away)
