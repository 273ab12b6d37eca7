"""What the prose of a how-to says: imperatives, titles of sections, waits and the hosts a sentence names."""

from __future__ import annotations

import re

from runbook_tui.core.markdown.values import word_set
from runbook_tui.core.model import PhaseRole

_VERBS = word_set("""
    add adjust allow append apply archive ask assign attach back boot build call change check choose clean clear clone
    close commit compare compile complete configure confirm connect convert copy create cut deactivate define delete
    deploy detach determine disable disconnect do double-check download drain drop dump edit empty enable ensure enter
    establish execute export extract fetch fill find fix flush follow force generate get give go grab grant identify
    import increase initialize inspect install invoke issue join keep kill launch let list load lock log login logout
    look lower make map mark merge migrate modify monitor mount move navigate notify obtain open order pause perform
    pick point power prepare press promote provision publish pull purge push put query raise read reboot rebuild recheck
    record recreate redirect reduce refresh regenerate register reinstall release reload remove rename repeat replace
    replicate request reset resize restart restore resume resync retrieve revert review revoke roll rotate run save
    scale schedule scp search select send set setup shut sign silence ssh start stop submit suspend switch sync
    synchronize tag take tell terminate test transfer trigger try tune turn type uncomment undo uninstall unlock
    unmount unpause update upgrade upload use validate verify visit wait watch write
    """)  # fmt: skip
_LEAD = re.compile(
    r"(?:\[[ xX]\]\s*)?(?:\d+[.)]\s*)?(?:(?:please|now|then|next|first|finally|also|again|optionally|afterwards|"
    r"secondly|lastly|once done|you (?:can|should|must|need to|will need to|may)|we (?:can|should|must|will|need to)|"
    r"let'?s|let us|to)[, ]+)*([A-Za-z][A-Za-z-]*)",
    re.IGNORECASE,
)
_LEADING_CLAUSE = re.compile(r"(?:if|when|once|after|before|on|in|from|as|using|with)\b[^,:]{2,120}, ", re.IGNORECASE)
_NEGATIVE = re.compile(r"(?:please\s+)?(?:do not|don['’]t|never|must not|avoid)\b", re.IGNORECASE)  # noqa: RUF001
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(`])")

_REFERENCE = re.compile(
    r"(?:the\s+)?(?:goals?|overview|introduction|intro|about|abstract|summary|conclusions?|background|purpose|scope|"
    r"tools?( used.*)?|references?|further reading|see also|links|resources|credits|licen[cs]e|changelog|glossary|"
    r"terminology|table of contents|contents|toc|next steps|what(?:'s| is) next.*|wrapping up|acknowledge?ments?|"
    r"contributors|motivation|context|description|status)\b[\s:.!]*$",
    re.IGNORECASE,
)
_PREREQ = re.compile(
    r"(?:prerequisites?|pre-requisites?|requirements?|before (?:you|we) (?:begin|start)|assumptions|preconditions)\b",
    re.IGNORECASE,
)
_ROLLBACK = re.compile(
    r"(?:\d[\d.]*\s*)?(?:how to )?(?:roll(?:ing)?[ -]?back|back(?:ing)?[ -]?out|revert(?:ing)?|undo(?:ing)?)\b"
    r"|.*\brollback (?:plan|procedure|steps)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"(?:\d[\d.]*\s*)?(?:trouble[ -]?shooting|faq|frequently asked|known (?:issues|problems)|common (?:issues|problems|"
    r"errors)|caveats|debugging|appendix|if something goes wrong|comments)\b",
    re.IGNORECASE,
)

_NUMBER = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10,
           "twelve": 12, "half an": 0.5, "a couple of": 2, "a few": 3}  # fmt: skip
_UNIT = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600,
         "d": 86400, "day": 86400, "week": 604800, "month": 2592000}  # fmt: skip
_AMOUNT = re.compile(
    r"\b(half an|a couple of|a few|an?|one|two|three|four|five|six|seven|ten|twelve|\d{1,5}(?:\.\d+)?)[ -]?"
    r"(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|months?)\b",
    re.IGNORECASE,
)
_WAITS = re.compile(r"(?:then\s+|now\s+|please\s+)?(?:wait|allow|leave (?:it|this|both)|let it run)s?\b", re.IGNORECASE)
_PLACE = re.compile(
    r"\b(?:on|in|at)\s+(?:the\s+|your\s+)?((?:\w+[ -])?(?:server|host|machine|node|box|one))\b", re.IGNORECASE
)

_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]\[]*)\](?:\([^()\s]*(?:\([^()\s]*\))?[^()]*\)|\[[^\]\[]*\])")
_EMPHASIS = re.compile(r"(\*\*|__|\*|(?<!\w)_)(?=\S)([^*_]+?)(?<=\S)\1(?!\w)")
_CLOSING_HASHES = re.compile(r"\s+\{#[\w-]+\}\s*$")
LONGEST_TITLE = 160


def plain_title(text: str) -> str:
    """Give one line of plain text for a title: no comments, links, emphasis or back-quotes; at most 160 characters."""
    short = _COMMENT.sub("", text[:4000])
    short = _CLOSING_HASHES.sub("", short)
    short = _LINK.sub(r"\1", short)
    short = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", short)).replace("`", "")
    short = " ".join(short.split())
    if short[:4].lower() in {"[ ] ", "[x] "}:
        short = short[4:]
    return short if len(short) <= LONGEST_TITLE else short[: LONGEST_TITLE - 1].rstrip() + "…"


def sentences(text: str) -> list[str]:
    """Give the sentences of a paragraph."""
    return [part for part in _SENTENCE_END.split(" ".join(_COMMENT.sub("", text[:8000]).split())) if part]


def is_imperative(text: str) -> bool:
    """Whether the text asks for something to be done; the third person counts ("Stops postfix")."""
    plain = text.lstrip("*_`[(")[:400]
    for _ in range(2):
        found = _LEAD.match(plain)
        if found is not None and _is_verb(found.group(1)):
            return True
        clause = _LEADING_CLAUSE.match(plain)
        if clause is None:
            return False
        plain = plain[clause.end() :]
    return False


def _is_verb(word: str) -> bool:
    lower = word.lower()
    return lower in _VERBS or lower.removesuffix("s") in _VERBS or lower.removesuffix("es") in _VERBS


def is_negative(text: str) -> bool:
    """Whether the text forbids something: it is a warning, not a step."""
    return _NEGATIVE.match(text.lstrip("*_> ")) is not None


def step_title(paragraph: str) -> str:
    """Give the title of a step made of a paragraph and a block: its last imperative sentence, else its last."""
    parts = sentences(paragraph)
    if not parts:
        return ""
    chosen = next((part for part in reversed(parts) if is_imperative(part)), parts[-1])
    return plain_title(chosen).rstrip(" :")


def item_title(text: str) -> str:
    """Give the title of an item: its first sentence, without the colon or full stop it ends in."""
    parts = sentences(text)
    title = plain_title(parts[0]).rstrip(" :") if parts else ""
    return title[:-1] if title.endswith(".") and not title.endswith(("..", "etc.")) else title


def role_of(title: str) -> PhaseRole | None:
    """Give the role a section's title names; None when it names none."""
    plain = title.strip()
    if _ROLLBACK.match(plain):
        return PhaseRole.ROLLBACK
    if _ASIDE.match(plain):
        return PhaseRole.ASIDE
    if _PREREQ.match(plain):
        return PhaseRole.PREREQ
    if _REFERENCE.match(plain):
        return PhaseRole.REFERENCE
    return None


def is_way_back(text: str) -> bool:
    """Whether a summary or title speaks of undoing."""
    return _ROLLBACK.match(text.strip()) is not None


def wait_seconds(title: str) -> float | None:
    """Give how long the text says to wait; None when it does not say to wait, or not how long."""
    if not _WAITS.match(title):
        return None
    found = [_seconds(*m.groups()) for m in _AMOUNT.finditer(title[:400])]
    return found[0] if found and found[0] > 0 else None


def _seconds(amount: str, unit: str) -> float:
    number = _NUMBER.get(amount.lower())
    single = unit.lower()
    scale = _UNIT.get(single) or _UNIT[single.removesuffix("s")]
    return (float(amount) if number is None else number) * scale


def named_place(text: str) -> str:
    """Give the words by which the text names a machine ("on new server"), as a suggestion only."""
    found = _PLACE.search(text[:400])
    return found.group() if found else ""
