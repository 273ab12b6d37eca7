"""Check `smtp`: does a mail server take what it should and refuse what it should, for now? See MIGRATION.md C4."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from runbook_tui.checks.expected import up_in_phase
from runbook_tui.checks.reached import REFUSED, Judged, Target, certificate_trouble, nowhere, shut, together, trouble
from runbook_tui.core.contact import SmtpAsk, TlsAsk
from runbook_tui.core.markdown.checkvalues import MOST_RECIPIENTS
from runbook_tui.ports import CheckState, Probe, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from runbook_tui.core.contact import SmtpReply, SmtpSeen
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight


class Starttls(StrEnum):
    """What is expected of TLS. REQUIRED: offered, with a good certificate; OFFERED: a bad one only warns.

    NONE: it is not used. MAY: it is used where it is offered, and may not vanish.
    """

    REQUIRED = "required"
    OFFERED = "offered"
    NONE = "none"
    MAY = ""


class Door(StrEnum):
    """How the server should be in a phase: taking mail, putting it off (4xx), or not listening."""

    OPEN = "open"
    LATER = "later"
    REFUSED = REFUSED


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the server should do. `name` is the name that its certificate should be for."""

    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    starttls: Starttls = Starttls.MAY
    door: Door = Door.OPEN
    name: str = ""
    offered_before: bool = False


@dataclass(slots=True)
class SmtpProbe(Probe):
    """Speaks to every address up to the recipients. No mail is sent: RSET and QUIT end each dialogue."""

    target: Target
    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    starttls: str = ""
    name: str = ""
    ca: str = ""
    phases: Mapping[str, object] = field(default_factory=dict)
    _offered: set[str] = field(default_factory=set, init=False)
    columns = ("address", "greeting", "TLS", "recipients", "says")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        o = spec.options
        return cls(
            Target.of(spec, resolve, 25), _words(o.get("accept"), resolve), _words(o.get("refuse"), resolve),
            str(o.get("starttls") or ""), resolve(str(o.get("name") or "")), resolve(str(o.get("ca") or "")),
            spec.phases,
        )  # fmt: skip

    @property
    def asks(self) -> str:
        """What is sent."""
        tls = "" if self.starttls == Starttls.NONE else ", STARTTLS"
        named = ", MAIL FROM:<>" + "".join(f", RCPT TO:<{one}>" for one in (*self.accept, *self.refuse))
        return f"SMTP to {self.target}: EHLO{tls}{named if self.accept or self.refuse else ''}, RSET, QUIT; no mail"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        if problem := self._problem(sight.phase):
            return Reading(CheckState.UNKNOWN, problem, error=problem)
        found = await self.target.find(sight)
        if not found.endpoints:
            return nowhere(found)
        name = self.name or self.target.name(sight)
        starttls = Starttls(self.starttls)
        tls = None if starttls is Starttls.NONE else TlsAsk(name, self.ca)
        ask = SmtpAsk(
            (*self.accept, *self.refuse), tls, starttls is Starttls.REQUIRED,
            self.target.patience if tls is None or starttls is Starttls.REQUIRED else self.target.patience / 2,
        )  # fmt: skip
        door = Door(str(up_in_phase(Door.OPEN, self.phases, sight.phase)))
        all_seen = await asyncio.gather(*(sight.net.services.smtp(one, ask) for one in found.endpoints))
        judged = []
        for endpoint, seen in zip(found.endpoints, all_seen, strict=True):
            wanted = Wanted(self.accept, self.refuse, starttls, door, name, endpoint.address in self._offered)
            judged.append((endpoint.address, judge(seen, wanted)))
            if seen.offered:
                self._offered.add(endpoint.address)
        return together(judged)

    def _problem(self, phase: str) -> str:
        """Say what of the settings cannot be used."""
        addresses = (*self.accept, *self.refuse)
        odd = [one for one in addresses if not (one.isascii() and one.isprintable()) or set(one) & set(" <>")]
        if odd:
            return f"{odd[0]!r} is no mail address that can be asked about"
        if len(addresses) > MOST_RECIPIENTS:
            return f"more than {MOST_RECIPIENTS} recipients would look like an attack"
        if self.starttls not in set(Starttls):
            return f"starttls is neither required, offered nor none: {self.starttls}"
        door = str(up_in_phase(Door.OPEN, self.phases, phase))
        return "" if door in set(Door) else f"the phase {phase} expects neither open, later nor refused: {door}"


def judge(seen: SmtpSeen, wanted: Wanted) -> Judged:
    """Judge what one address did."""
    tls = seen.tls.version if seen.tls else "offered" if seen.offered else ""
    named = " · ".join(f"{address}: {reply}" for address, reply in seen.recipients)
    found = _judge(seen, wanted)
    return Judged(found.state, found.says, (str(seen.greeting or ""), tls, named), found.away)


def _judge(seen: SmtpSeen, wanted: Wanted) -> Judged:
    greeting = seen.greeting
    if wanted.door is Door.REFUSED:
        if greeting is not None and greeting.code >= 400:
            return Judged(CheckState.PASS, f"it takes no mail, as it should: {greeting}")
        return shut(None, str(greeting)) if greeting is not None else shut(seen.trouble, seen.said)
    if greeting is not None and greeting.code != 220:
        later = wanted.door is Door.LATER and greeting.code < 500
        state = CheckState.PASS if later else CheckState.FAIL
        return Judged(state, f"it greets with {greeting}" + ("" if later else "; 220 is expected"))
    if seen.trouble is not None:
        return trouble(seen.trouble, seen.said, seen.stage, seen.tls, wanted.name)
    if greeting is None:
        return Judged(CheckState.UNKNOWN, "nothing came that could be judged")
    return _tls(seen, wanted) or _recipients(seen, wanted) or _good(seen, wanted)


def _tls(seen: SmtpSeen, wanted: Wanted) -> Judged | None:
    """Judge what fails of TLS."""
    must = wanted.starttls in {Starttls.REQUIRED, Starttls.OFFERED}
    if wanted.starttls is Starttls.NONE:
        return None
    if not seen.offered and (must or wanted.offered_before):
        more = " any more" if wanted.offered_before else ""
        return Judged(CheckState.FAIL, f"STARTTLS is not offered{more}: it is off, or somebody in between takes it out")
    if seen.offered and seen.tls is None:
        return Judged(CheckState.FAIL, f"STARTTLS is offered, but: {seen.starttls or 'it was not begun'}")
    if wanted.starttls is Starttls.REQUIRED and seen.tls and seen.tls.code:
        return Judged(CheckState.FAIL, certificate_trouble(seen.tls, wanted.name))
    return None


def _taken(address: str, wanted: Wanted) -> str:
    """Say what it means that a recipient is taken who should not be."""
    domains = {one.rpartition("@")[2].lower() for one in wanted.accept}
    if address.rpartition("@")[2].lower() in domains:
        return "is there such a user or alias, or is everybody of the domain taken, and bounced later?"
    return "an open relay?"


def _recipients(seen: SmtpSeen, wanted: Wanted) -> Judged | None:
    """Judge what fails of the recipients: a refusal counts only where the dialogue came as far."""
    if (wanted.accept or wanted.refuse) and (seen.sender is None or seen.sender.code != 250):
        return Judged(CheckState.FAIL, f"MAIL FROM:<>: {seen.sender or 'no answer'}; 250 is expected")
    replies = dict(seen.recipients)
    for address in wanted.accept:
        reply = replies.get(address)
        if wanted.door is Door.LATER:
            if reply is None or not _is_later(reply):
                return Judged(CheckState.FAIL, f"RCPT {address}: {reply}; 4xx is expected now")
        elif reply is None or reply.code not in {250, 251}:
            return Judged(CheckState.FAIL, f"RCPT {address}: {reply}; 250 is expected{_hint(reply)}")
    for address in wanted.refuse:
        reply = replies.get(address)
        if reply is not None and reply.code < 300:
            return Judged(CheckState.FAIL, f"RCPT {address}: {reply}; it should be refused: {_taken(address, wanted)}")
        if reply is None or not (_is_later(reply) or (reply.code >= 550) or reply.code == 521):
            return Judged(CheckState.UNKNOWN, f"RCPT {address}: {reply}; that is no refusal of the recipient")
    return None


def _is_later(reply: SmtpReply) -> bool:
    return 450 <= reply.code < 500


def _hint(reply: SmtpReply | None) -> str:
    text = str(reply).lower()
    if "relay" in text:
        return " (is its domain in relay_domains or mydestination?)"
    return " (greylisted: ask again later)" if reply is not None and "greylist" in text else ""


def _good(seen: SmtpSeen, wanted: Wanted) -> Judged:
    counts = [f"{len(wanted.accept)} {'put off' if wanted.door is Door.LATER else 'taken'}"] if wanted.accept else []
    counts += [f"{len(wanted.refuse)} refused"] if wanted.refuse else []
    said = ", ".join(["220", seen.tls.version if seen.tls else "no TLS", *counts])
    if seen.tls and seen.tls.code:
        state = CheckState.WARN if wanted.starttls is Starttls.OFFERED else CheckState.PASS
        return Judged(state, f"{said}; {certificate_trouble(seen.tls, wanted.name)}")
    return Judged(CheckState.PASS, said)


def _words(option: object, resolve: Callable[[str], str]) -> tuple[str, ...]:
    values: Sequence[object] = option if isinstance(option, list) else [option] if option else []
    return tuple(resolve(str(value)) for value in values)
