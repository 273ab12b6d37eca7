"""All forms of the known secrets as one table, and how they are found in a whole text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from runbook_tui.core.redact.forms import shown_forms
from runbook_tui.core.redact.skeleton import Skeleton, skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runbook_tui.core.secret import Secret

SHORTEST: Final = 4
"""Characters below which nothing is searched for: it would be found everywhere."""

_PROBE: Final = 6
"""Characters a probe has at least; a form without so long a plain run is its own probe."""

_GATES: Final = ("\\x", "%", "=")
"""What encodings of every byte are full of and other text mostly has not: without it none of them is there."""

_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_SEPARATOR: Final = "\x00"
"""Between the forms in one text; a skeleton has none."""


def mark(name: str) -> str:
    """Give what stands in a secret's place."""
    return f"‹secret:{name}›"  # noqa: RUF001 -- the marks that core.secret has


class Hit(NamedTuple):
    """A stretch of text that belongs to secrets, and the name of the one that it begins with."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class _Probe:
    """A text that every one of its forms has in it: while it is not there, none of them is."""

    text: str
    forms: tuple[str, ...]


class Redactor:
    """Finds secrets in text. It never changes: another secret makes another redactor.

    A secret of fewer than SHORTEST visible characters cannot be found. Its name is in `too_short`, and what may show
    it has to be withheld whole.
    """

    __slots__ = ("_ends", "_firsts", "_gated", "_joined", "_names", "too_short")

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self.too_short: tuple[str, ...] = ()
        self._names: dict[str, str] = {}
        for secret in secrets:
            self._add(secret)
        self._gated = _gated(_probes(self._names))
        self._joined = _SEPARATOR.join((*self._names, ""))
        self._firsts = frozenset(form[0] for form in self._names)
        self._ends = "".join(sorted({char for form in self._names for char in form[:-1]}))

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._names)

    def _add(self, secret: Secret) -> None:
        value = secret.reveal()
        if len(skeleton(value).strip("\n")) < SHORTEST:
            self.too_short = (*self.too_short, secret.name)
            return
        for form in shown_forms(value):
            bare = skeleton(form)
            if len(bare) >= SHORTEST:
                self._names.setdefault(bare, secret.name)

    def suspects(self, text: str) -> bool:
        """Whether a text may hold a form of a secret; False is certain when it has nothing hidden in it."""
        return next(self._there(text), None) is not None

    def _there(self, text: str) -> Iterator[_Probe]:
        for gate, probes in self._gated:
            if gate in text:
                for probe in probes:
                    if probe.text in text:
                        yield probe

    def hits(self, shape: Skeleton) -> list[Hit]:
        """Give where secrets are in the text as it is shown: in order, those that overlap as one."""
        found = [
            (start, -len(form), self._names[form])
            for probe in self._there(shape.text)
            for form in probe.forms
            for start in _places(form, shape.text)
        ]  # fmt: skip
        merged: list[Hit] = []
        end = -1
        for start, negative, name in sorted(found):
            if merged and start < end:
                end = max(end, start - negative)
                merged[-1] = Hit(merged[-1].start, shape.shown_at(end - 1) + 1, merged[-1].name)
                continue
            end = start - negative
            merged.append(Hit(shape.shown_at(start), shape.shown_at(end - 1) + 1, name))
        return merged

    def begun(self, bare: str) -> tuple[int, str]:
        """Give how many characters at the end of a skeleton begin a form that is not whole yet, and whose it is."""
        if not bare or bare[-1] not in self._ends:
            return 0, ""
        longest, whose = self._begun_by_more(bare) if len(bare) > 1 else (0, "")
        if not longest and bare[-1] in self._firsts:
            return 1, next(name for form, name in self._names.items() if form[0] == bare[-1])
        return longest, whose

    def _begun_by_more(self, bare: str) -> tuple[int, str]:
        pair, longest, whose = bare[-2:], 0, ""
        place = self._joined.find(pair)
        while place >= 0:
            start = self._joined.rfind(_SEPARATOR, 0, place) + 1
            length = place + 2 - start
            unfinished = self._joined[place + 2] != _SEPARATOR
            if unfinished and length > longest and bare.endswith(self._joined[start : place + 2]):
                longest = length
                whose = self._names[self._joined[start : self._joined.find(_SEPARATOR, place)]]
            place = self._joined.find(pair, place + 1)
        return longest, whose

    def redact(self, text: str) -> str:
        """Give a whole text with a mark in the place of every secret; its newlines stay."""
        shape = Skeleton(text)
        if not self.suspects(shape.text):
            return text
        pieces, end = [], 0
        for hit in self.hits(shape):
            pieces += [text[end : hit.start], covered(text[hit.start : hit.end], hit.name)]
            end = hit.end
        return "".join((*pieces, text[end:]))

    def names_in(self, text: str) -> tuple[str, ...]:
        """Give the names of the secrets that a text holds."""
        shape = Skeleton(text)
        return tuple(dict.fromkeys(hit.name for hit in self.hits(shape))) if self.suspects(shape.text) else ()


def covered(secret: str, name: str) -> str:
    """Give a mark for every line that a secret has characters on."""
    return "\n".join(mark(name) if line else "" for line in secret.split("\n"))


def _places(form: str, text: str) -> Iterator[int]:
    place = text.find(form)
    while place >= 0:
        yield place
        place = text.find(form, place + 1)


def _probes(names: Iterable[str]) -> Iterator[_Probe]:
    """Give few texts of which each form has one in it: what encodings leave as it is stands for all of them."""
    left = sorted(names, key=len)
    while left:
        longest = max(_RUN.findall(left[0]), key=len, default="")
        text = longest if len(longest) >= _PROBE else left[0]
        yield _Probe(text, tuple(form for form in left if text in form))
        left = [form for form in left if text not in form]


def _gated(probes: Iterable[_Probe]) -> tuple[tuple[str, tuple[_Probe, ...]], ...]:
    """Give the probes by the gate that they have in them; most have none."""
    behind: dict[str, list[_Probe]] = {}
    for probe in probes:
        behind.setdefault(next((gate for gate in _GATES if gate in probe.text), ""), []).append(probe)
    return tuple((gate, tuple(found)) for gate, found in behind.items())
