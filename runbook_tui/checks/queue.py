"""Check `queue`: does mail wait in a host's Postfix, since when, and why? See MIGRATION.md C3."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.checks.asking import ask, blind
from runbook_tui.checks.expected import in_phase
from runbook_tui.checks.listing import LISTED, QUEUES, JsonListing, Listing, PlainListing, Waiting
from runbook_tui.checks.reasons import kind_of
from runbook_tui.checks.view import age
from runbook_tui.core.errors import HostError
from runbook_tui.core.markdown import checkvalues
from runbook_tui.core.markdown.values import duration
from runbook_tui.ports import CheckState, Probe, Reading, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from typing import Self

    from runbook_tui.checks.asking import Part
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight

HELD = checkvalues.HELD
"""The expectation of a phase in which mail is kept waiting on purpose."""

OLD = 3600.0
"""Seconds after which a mail that waits is worth a warning."""
ENDING = 0.8
"""Share of maximal_queue_lifetime after which mail is about to be sent back."""
LIFETIME = 5 * 86400.0
"""Seconds: maximal_queue_lifetime's default (postconf(5))."""

# What goes wrong is said on standard error alone, with status 0 when root asks (MIGRATION.md section 0, item 9), so
# it is kept apart; fd 3 is the listing's way out.
_LIST = """exec 3>&1
said=$({command} 2>&1 >&3 3>&-)
rc=$?
{{ echo; echo '-said-'; printf '%s\\n' "$said"; }}
exit $rc
"""
LIST_JSON = _LIST.format(command="postqueue -j")
LIST_PLAIN = _LIST.format(command="TZ=UTC0 postqueue -p")

FOLDER = "postconf -h queue_directory 2>/dev/null"

# A queue that cannot be read to its end is not counted at all.
ABOUT = f"""id -u
postconf maximal_queue_lifetime soft_bounce 2>/dev/null
d={{folder}}
[ -n "$d" ] || exit 0
for q in {" ".join(QUEUES)}; do
{{{{ find "$d/$q" -type f -print 2>/dev/null && echo //end; }}}} |
awk -v q=$q '$0 == "//end" {{{{ whole = 1; next }}}} {{{{ n++ }}}} END {{{{ if (whole) print "files " q " " n + 0 }}}}'
done
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a host's queue.

    `files` are the mails on disk by queue, where they could be counted; `down` is whether Postfix said that it does
    not run; `lifetime` is maximal_queue_lifetime in seconds; `said` is what was said beside the listing.
    """

    listing: Listing
    exit: int | None
    said: str = ""
    root: bool = True
    down: bool = False
    files: Mapping[str, int] = field(default_factory=dict)
    lifetime: float = LIFETIME
    soft_bounce: bool = False

    @property
    def counts(self) -> Mapping[str, int]:
        """Mails by queue: a mail that moves while both are looked at is rather counted twice than missed."""
        listed = {queue: waiting.mails for queue, waiting in self.listing.queues.items()}
        if isinstance(self.listing, PlainListing) and self.files.keys() >= LISTED:
            return self.files if sum(self.files.values()) >= self.listing.mails else listed
        return {queue: max(listed.get(queue, 0), self.files.get(queue, 0)) for queue in QUEUES}


@dataclass(slots=True)
class QueueProbe(Probe):
    """Lists the queue of `host`. PASS with at most `most` mails; `phases` gives another number, or `held`."""

    host: str
    most: object = 0
    phases: Mapping[str, object] = field(default_factory=dict)
    columns = ("queue or reason", "mails", "oldest", "what to do")
    _before: Mapping[str, int] = field(default_factory=dict)
    _plain: bool = False
    _folder: str = ""

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        most = resolve(str(spec.options.get("max", 0)))
        return cls(resolve(str(spec.options.get("host", ""))), most, spec.phases)

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"on {self.host}: postqueue -j (or -p), files in Postfix's queue folders"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        try:
            look = await self._look(sight)
        except HostError as error:
            return blind(error)
        before, self._before = self._before, look.counts
        return judge(look, in_phase(self.most, self.phases, sight.phase), before, sight.now)

    async def _look(self, sight: Sight) -> Look:
        if not self._plain:
            look = await self._ask(sight, JsonListing(), LIST_JSON)
            if look.exit == 0 or "usage:" not in look.said:
                return look
            self._plain = True
        return await self._ask(sight, PlainListing(sight.now), LIST_PLAIN)

    async def _ask(self, sight: Sight, listing: JsonListing | PlainListing, command: str) -> Look:
        said: list[str] = []

        def take(line: str) -> None:
            if line == "-said-" or said:
                said[len(said) :] = [line] if len(said) < 20 else []
            else:
                listing.line(line)

        if not self._folder:
            parts = await ask(sight, self.host, {"folder": FOLDER})
            self._folder = parts["folder"].text
        about = ABOUT.format(folder=shlex.quote(self._folder))
        parts = await ask(sight, self.host, {"list": command, "about": about}, {"list": take})
        return look_of(listing, parts, "\n".join(said[1:]).strip())


def look_of(listing: Listing, parts: Mapping[str, Part], said: str) -> Look:
    """Put together what the script's parts said."""
    lines = parts["about"].lines
    settings = dict(line.partition(" = ")[::2] for line in lines if " = " in line)
    counted = (line.split() for line in lines if line.startswith("files "))
    lifetime = settings.get("maximal_queue_lifetime", "")
    return Look(
        listing=listing,
        exit=parts["list"].exit,
        said=said,
        root=bool(lines) and lines[0] == "0",
        down="mail system is down" in said.lower(),
        files={queue: int(number) for _, queue, number in counted},
        lifetime=duration(lifetime if not lifetime.isdigit() else f"{lifetime}d") or LIFETIME,
        soft_bounce=settings.get("soft_bounce", "").lower() == "yes",
    )


def judge(look: Look, expected: object, before: Mapping[str, int], now: datetime) -> Reading:
    """Say what a look means. `expected` is a number of mails or `held`; `before` are the counts of the look before."""
    if problem := _blindness(look):
        return Reading(CheckState.UNKNOWN, problem, look.said, error=look.listing.strange or look.said)
    total = sum(look.counts.values())
    held = expected == HELD
    if not held and not str(expected).isdigit():
        return Reading(CheckState.UNKNOWN, f"{expected} is neither a number of mails nor {HELD}")
    most = 0 if held else int(str(expected))
    findings = list(_findings(look, before, now, held=held))
    states = {state for state, _ in findings}
    worst = next((state for state in (CheckState.FAIL, CheckState.WARN) if state in states), CheckState.PASS)
    if worst is CheckState.PASS and total > most:
        worst = CheckState.PENDING
        findings = [(worst, told) for told in _commonest(look.listing)[:1]]
    sentences = [sentence for state, sentence in findings if state is worst]
    return Reading(
        worst,
        " · ".join([_amount(look, total, most, held=held), *sentences]),
        detail=_detail(look),
        rows=tuple(_rows(look, now)),
        level=float(total),
    )


def _blindness(look: Look) -> str:
    """Say why a look proves nothing; empty when it does."""
    if look.exit == 127:
        return "there is no postqueue"
    if look.down and not look.root:
        return "Postfix is down, and only root can look into its queue then"
    if look.exit != 0:
        return f"postqueue ended with status {look.exit}"
    if look.listing.strange:
        return "the listing of the queue was not understood"
    if not look.listing.ended:
        return "the listing of the queue has no end"
    if look.down and not look.files.keys() >= LISTED:
        return "Postfix is down, and its queue folders could not be read"
    return ""


def _amount(look: Look, total: int, most: int, *, held: bool) -> str:
    down = ", Postfix is down" if look.down else ""
    if total == 0:
        return f"empty{down}"
    shares = ", ".join(f"{number} {queue}" for queue, number in look.counts.items() if number)
    if held:
        return f"held on purpose: {total} ({shares}){down}"
    return f"{total} waiting ({shares})" + (f", {most} allowed" if most else "") + down


def _findings(
    look: Look, before: Mapping[str, int], now: datetime, *, held: bool
) -> Iterator[tuple[CheckState, str]]:
    for group in look.listing.groups.values():
        kind = kind_of(group.sample)
        if kind.state is CheckState.FAIL or (kind.state is CheckState.WARN and not held):
            yield kind.state, f"{group.sample} ({group.waiting.mails})"
    oldest = _oldest(look.listing)
    seconds = 0.0 if oldest is None else now.timestamp() - oldest
    if seconds > ENDING * look.lifetime:
        yield CheckState.FAIL, f"the oldest waits {age(seconds)}, sent back after {age(look.lifetime)}"
    elif seconds > OLD and not held:
        yield CheckState.WARN, f"the oldest waits {age(seconds)}"
    counts = look.counts
    if counts.get("corrupt"):
        yield CheckState.WARN, f"{counts['corrupt']} corrupt"
    if counts.get("hold") and not held:
        yield CheckState.WARN, f"{counts['hold']} on hold, which never leave by themselves"
    if before.get("maildrop", 0) and counts.get("maildrop", 0) > before["maildrop"]:
        yield CheckState.WARN, f"maildrop grows, {counts['maildrop']}: nobody picks it up"


def _oldest(listing: Listing) -> float | None:
    """When the oldest mail arrived that will be sent back one day: what is on hold is not."""
    waiting = (one.oldest for queue, one in listing.queues.items() if queue not in {"hold", "corrupt"})
    return min((oldest for oldest in waiting if oldest is not None), default=None)


def _rows(look: Look, now: datetime) -> Iterator[Row]:
    for queue, number in look.counts.items():
        if number:
            waiting = look.listing.queues.get(queue, Waiting())
            yield Row((queue, str(number), _since(waiting, now), ""))
    for told, group in sorted(look.listing.groups.items(), key=lambda item: -item[1].waiting.mails):
        kind = kind_of(group.sample)
        yield Row((told, str(group.waiting.mails), _since(group.waiting, now), kind.hint), kind.state)


def _since(waiting: Waiting, now: datetime) -> str:
    return "" if waiting.oldest is None else age(now.timestamp() - waiting.oldest)


def _detail(look: Look) -> str:
    lines = [look.said] if look.said else []
    if look.soft_bounce or look.listing.softened:
        lines.append(f"SOFTBOUNCE: {look.listing.softened} would have bounced (soft_bounce={_yes(look.soft_bounce)})")
    return "\n".join(lines + _commonest(look.listing)[:5])


def _commonest(listing: Listing) -> list[str]:
    groups = sorted(listing.groups.values(), key=lambda group: -group.waiting.mails)
    return [f"{group.sample} ({group.waiting.mails})" for group in groups]


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"
