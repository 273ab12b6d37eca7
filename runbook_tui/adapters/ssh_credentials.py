"""What one login is given: each stored value once, then what the person types, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from runbook_tui.ports import LoginAsk, LoginField, LoginKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from runbook_tui.adapters.ssh_target import Target
    from runbook_tui.core.secret import Secret
    from runbook_tui.ports import Asker, LoginAnswer

MOST_TYPED: Final = 3
"""Values of one name that are taken from the person in one login; machines lock accounts after a few wrong ones."""

MOST_PROMPTS: Final = 8
MOST_ROUNDS: Final = 10
"""Questions at once, and rounds of questions, beyond which nobody in good faith asks."""

LONGEST_PROMPT: Final = 300
LONGEST_SAID: Final = 2000
"""Characters of what the server says that are shown."""

_PASSWORD = re.compile(
    r"(\([^)]*\)\s*)?(\S+'s\s+|(unix|login|ldap|kerberos)\s+)?password(\s+for\s+\S+?)?\s*:?", re.IGNORECASE
)
"""A prompt for the account's password and nothing else; whatever else is asked may be good for one time only."""

_CHANGE = re.compile(r"\b(new|retype|re-?enter|repeat|current)\b\W{0,3}(\w+\W+){0,2}password", re.IGNORECASE)


@dataclass(slots=True)
class Person:
    """Who answers for one host's logins, jump hosts' included; `asking` counts the questions that wait for them."""

    asker: Asker | None
    host: str
    asking: int = 0


@dataclass(frozen=True, slots=True)
class _Sent:
    secret: Secret
    keep: bool


@dataclass(slots=True)
class Credentials:
    """Serves one login to one target, from its first connection to its last.

    A question does not end with the connection it was asked on: a server waits a minute or two, a person may be
    asleep. The answer is used on the next connection, where that asks the same. `hold` are the seconds for which a
    connection is kept open for an answer, `patience` those that the server has after each.
    """

    person: Person
    target: Target
    hold: float
    patience: float
    jump: bool = False
    pace: asyncio.Timeout | None = None
    """The time limit of the connection under way."""
    given_up: str = ""
    """What the person was asked for and did not give."""
    wants_change: bool = False
    _sent: list[_Sent] = field(default_factory=list)
    _passed: int = 0
    _typed: Counter[str] = field(default_factory=Counter)
    _rounds: int = 0
    _said: list[str] = field(default_factory=list)
    _asking: tuple[LoginAsk, asyncio.Task[LoginAnswer | None]] | None = None
    _hand: tuple[LoginAsk, LoginAnswer] | None = None

    @property
    def name(self) -> str:
        """Under which the account's password may be stored."""
        target = self.target
        port = "" if target.alias_named or target.port == 22 else f":{target.port}"
        return _usable(f"ssh {target.user}@{target.name}{port}")

    @property
    def refused(self) -> list[str]:
        """What was sent and did not open the door, a sentence each."""
        return [_refusal("password", sent.secret) for sent in self._sent]

    @property
    def over(self) -> bool:
        """Whether nothing more is given in this login."""
        return self.person.asker is None or bool(self.given_up) or self.wants_change

    # ---- what a login asks for

    async def password(self) -> str | None:
        """Give the next password to try; None: there is none."""
        found = await self._untried(self.name)
        keep = False
        if found is None:
            wanted = self._wanted(LoginKind.PASSWORD, (LoginField("Password", storable=True),), name=self.name)
            answer = await self._ask(wanted)
            if answer is None:
                return None
            found, keep = answer.values[0], answer.keep
        self._sent.append(_Sent(found, keep))
        return found.reveal()

    def takes_questions(self) -> bool:
        """Whether the server may ask; a server that asks for ever is not answered for ever."""
        self._rounds += 1
        return not self.over and self._rounds <= MOST_ROUNDS

    async def answers(self, said: Iterable[str], prompts: Sequence[tuple[str, bool]]) -> list[str] | None:
        """Give an answer to each prompt (its text, and whether what is typed may be seen); None: none is given."""
        self._said += [text for text in said if text.strip()]
        if not prompts:
            return []
        fields = tuple(_field(prompt, hidden=not echo) for prompt, echo in prompts[:MOST_PROMPTS])
        if any(one.hidden and _CHANGE.search(one.prompt) for one in fields):
            self.wants_change = True
        if self.over or len(prompts) > MOST_PROMPTS:
            return None
        storable = any(one.storable for one in fields)
        if not storable:
            self._passed = len(self._sent)  # the server went on: what it was given before may be right
        stored = await self._untried(self.name) if storable else None
        open_fields = tuple(one for one in fields if stored is None or not one.storable)
        answer = None
        if open_fields:
            name = self.name if any(one.storable for one in open_fields) else ""
            answer = await self._ask(self._wanted(LoginKind.QUESTIONS, open_fields, name=name))
            if answer is None:
                return None
        typed = iter(answer.values if answer else ())
        given = [stored if stored is not None and one.storable else next(typed) for one in fields]
        keep = answer is not None and answer.keep
        self._sent += [_Sent(value, keep) for value, one in zip(given, fields, strict=True) if one.storable]
        return [value.reveal() for value in given]

    async def opened(self, path: Path, opens: Callable[[str], Awaitable[bool]]) -> bool:
        """Open a key file with its passphrase: `opens` says whether one does. False: nobody gave the right one."""
        asker, again = self.person.asker, ""
        shown = _shown(path)
        name = _usable(f"ssh-key {shown}")
        stored = await asker.stored(name) if asker is not None and name else None
        while not self.over and asker is not None:
            secret, keep = stored, False
            if secret is None:
                fields = (LoginField("Passphrase", storable=True),)
                wanted = self._wanted(LoginKind.PASSPHRASE, fields, name=name, key_file=shown, again=again)
                answer = await self._ask(wanted)
                if answer is None:
                    return False
                secret, keep = answer.values[0], answer.keep
            if await opens(secret.reveal()):
                await asker.proved(secret, keep=keep)
                return True
            asker.refused([secret])
            again, stored = f"{_from('passphrase', secret)} does not open the key.", None
        return False

    # ---- how it went

    async def unanswered(self) -> bool:
        """After a connection ended: wait for the answer to what was asked on it. True: it is worth another one."""
        if self._asking is None:
            return False
        wanted, asking = self._asking
        self._asking = None
        answer = await asking
        if answer is None:
            return False
        self._hand = (wanted, answer)
        del self._sent[: self._passed]
        self._passed = 0
        return True

    async def right(self) -> None:
        """Take note that the login was let in: the last value of each name is the right one."""
        asker = self.person.asker
        last = {sent.secret.name: sent for sent in self._sent}
        if asker is not None and last:
            asker.refused([sent.secret for sent in self._sent if last[sent.secret.name] is not sent])
            for sent in last.values():
                await asker.proved(sent.secret, keep=sent.keep)

    def wrong(self) -> None:
        """Take note that it was not: nothing of what was sent is sent again by itself."""
        if self.person.asker is not None:
            self.person.asker.refused([sent.secret for sent in self._sent])

    def close(self) -> None:
        """Ask nothing any more."""
        if self._asking is not None:
            self._asking[1].cancel()

    # ---- inside

    async def _untried(self, name: str) -> Secret | None:
        if self.over or self.person.asker is None or not name:
            return None
        found = await self.person.asker.stored(name)
        if found is None or any(sent.secret.reveal() == found.reveal() for sent in self._sent):
            return None
        return found

    def _wanted(
        self, kind: LoginKind, fields: tuple[LoginField, ...], *, name: str, key_file: str = "", again: str = ""
    ) -> LoginAsk:  # fmt: skip
        if not again and name and self._sent:
            again = _refusal("password", self._sent[-1].secret)
        said = "\n".join(self._said)[:LONGEST_SAID]
        return LoginAsk(
            kind, self.person.host, str(self.target), fields, name=name, jump=self.jump, key_file=key_file, said=said,
            again=again,
        )  # fmt: skip

    async def _ask(self, wanted: LoginAsk) -> LoginAnswer | None:
        """Ask the person, unless what they typed for the connection before answers it."""
        asker = self.person.asker
        if self.over or asker is None:
            return None
        hand, self._hand = self._hand, None
        if hand is not None and _same(hand[0], wanted):
            return hand[1]
        if self._typed[wanted.name or repr(wanted.fields)] >= MOST_TYPED:
            self.given_up = f"after {MOST_TYPED} that were refused no other {_thing(wanted)} is tried"
            return None
        self._typed[wanted.name or repr(wanted.fields)] += 1
        asking = asyncio.ensure_future(self._put(asker, wanted))
        self._asking = (wanted, asking)
        self._limit(self.hold)
        answer = await asyncio.shield(asking)
        self._limit(self.patience)
        self._asking = None
        self._said.clear()
        return answer

    async def _put(self, asker: Asker, wanted: LoginAsk) -> LoginAnswer | None:
        self.person.asking += 1
        try:
            answer = await asker.ask(wanted)
        finally:
            self.person.asking -= 1
        if answer is None:
            self.given_up = f"no {_thing(wanted)} was given"
        return answer

    def _limit(self, seconds: float) -> None:
        with contextlib.suppress(RuntimeError):  # the connection is over already
            if self.pace is not None:
                self.pace.reschedule(asyncio.get_running_loop().time() + seconds)


def _field(prompt: str, *, hidden: bool) -> LoginField:
    storable = hidden and _PASSWORD.fullmatch(prompt.strip()) is not None
    return LoginField(prompt[:LONGEST_PROMPT], hidden=hidden, storable=storable)


def _same(one: LoginAsk, other: LoginAsk) -> bool:
    return (one.kind, one.key_file, one.fields) == (other.kind, other.key_file, other.fields)


def _thing(wanted: LoginAsk) -> str:
    return "answer" if wanted.kind is LoginKind.QUESTIONS else wanted.kind.value


def _from(what: str, secret: Secret) -> str:
    source = secret.source or "nobody"
    return f"The {what} {source}" if source.startswith("typed ") else f"The {what} from {source}"


def _refusal(what: str, secret: Secret) -> str:
    return f"{_from(what, secret)} was refused."


def _shown(path: Path) -> str:
    try:
        return f"~/{path.relative_to(path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _usable(name: str) -> str:
    """Give a name under which a secret can be stored, else nothing: then it is only ever typed."""
    return name if len(name) <= 200 and name.isprintable() else ""
