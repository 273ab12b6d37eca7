"""Judges what was seen of a mailbox, and of the same one on two servers side by side (MIGRATION.md C6, I10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.checks.reached import Judged, trouble
from runbook_tui.core.contact import TlsSeen, Trouble
from runbook_tui.ports import CheckState, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.core.contact import Folder, ImapSeen

SLOW = 2.0
"""Seconds for one whole look, from which on it is slow (MIGRATION.md C6)."""


def judge(seen: ImapSeen, name: str = "", *, login: bool = True) -> Judged:
    """Judge one server by itself."""
    if seen.trouble is Trouble.LOGIN:
        return Judged(CheckState.FAIL, f"auth: {seen.said or Trouble.LOGIN}")
    if seen.trouble is not None:
        why = trouble(seen.trouble, seen.said, seen.stage, TlsSeen(code=seen.code, said=seen.said), name)
        word = "" if why.state is CheckState.UNKNOWN else _CLASSES.get("tls" if seen.code else seen.trouble, "")
        word = "namespace" if seen.stage == "NAMESPACE" else word
        return Judged(why.state, f"{word}: {why.says}" if word else why.says, away=why.away)
    if not login:
        return Judged(CheckState.PASS, "it answers; nobody logs in")
    odd = _broken(seen)
    if odd:
        return Judged(CheckState.FAIL, odd)
    if doubts := _doubts(seen):
        return Judged(CheckState.WARN, "; ".join(doubts))
    return Judged(CheckState.PASS, told(seen))


_CLASSES: dict[str, str] = {
    Trouble.NO_NAME: "dns", Trouble.REFUSED: "refused", Trouble.TLS: "tls", Trouble.LOGIN: "auth", "tls": "tls",
}  # fmt: skip


def told(seen: ImapSeen) -> str:
    """Give the totals in words."""
    messages, folders = total(seen), len(seen.folders)
    return f"{messages:,} mails in {folders} folder{'' if folders == 1 else 's'}"


def total(seen: ImapSeen) -> int:
    """Give how many messages there are."""
    return sum(folder.messages for folder in seen.folders)


def _broken(seen: ImapSeen) -> str:
    for folder in seen.folders:
        if folder.trouble:
            return f"the folder {folder} cannot be opened: {folder.trouble}"
    if seen.opened is None:
        return "the folder was not opened"
    if seen.body is not None and seen.body[0] < seen.body[1]:
        # Right counts and empty mails: MIGRATION.md I10.
        return f"a mail of {seen.body[1]} bytes came with {seen.body[0]}: what is counted cannot be read"
    if seen.opened and seen.body is None:
        return "no mail could be fetched"
    return ""


def _doubts(seen: ImapSeen) -> list[str]:
    there = {folder.path for folder in seen.folders}
    lost = [path for path in seen.subscribed if path not in there]
    found = []
    if seen.left_out:
        found.append(f"{seen.left_out} folders were not asked about: give the check more time")
    elif lost:
        found.append(f"subscribed, but not there: {'/'.join(lost[0])}")
    if seen.seconds > SLOW:
        found.append(f"slow: {seen.seconds:.1f} s")
    return found


def compare(new: ImapSeen, old: ImapSeen) -> Judged:
    """Judge a mailbox on the new server by the same one on the old server; both could be looked at."""
    if new.namespace and old.namespace and new.namespace != old.namespace:
        (prefix, delimiter), (was, was_delimiter) = new.namespace, old.namespace
        return Judged(
            CheckState.FAIL,
            f"namespace: prefix '{prefix}' and delimiter '{delimiter}', on old '{was}' and '{was_delimiter}'",
        )
    there = {folder.path: folder for folder in new.folders}
    pairs = [(folder, there.get(folder.path)) for folder in old.folders]
    empty = [(was, now) for was, now in pairs if was.messages and not (now and now.messages)]
    if empty and not new.left_out:
        lost, now = max(empty, key=lambda pair: pair[0].messages)
        more = f"; {len(empty) - 1} more like it" if len(empty) > 1 else ""
        return Judged(
            CheckState.FAIL, f"{lost} is {'empty' if now else 'not there'}, old has {lost.messages:,}{more}"
        )
    if doubts := [*_drift(pairs), *_doubts(new), *_doubts(old)]:
        return Judged(CheckState.WARN, "; ".join(dict.fromkeys(doubts)))
    return Judged(CheckState.PASS, f"{told(new)} = old" if total(new) == total(old) else
                  f"{told(new)}, old has {total(old):,}")  # fmt: skip


def _drift(pairs: Sequence[tuple[Folder, Folder | None]]) -> list[str]:
    found = []
    for was, now in pairs:
        if now is None:
            found.append(f"the empty folder {was} is not there")
        elif now.messages < was.messages:
            found.append(f"{was}: {now.messages:,} mails, old has {was.messages:,}")
        elif now.uidvalidity != was.uidvalidity:
            found.append(f"{was}: another UIDVALIDITY, so mail programs fetch everything anew")
    return found[:3]


def rows(new: ImapSeen, old: ImapSeen | None) -> tuple[Row, ...]:
    """Give a row a folder: messages, unseen and UIDVALIDITY, old beside new where there is an old one."""
    if old is None:
        return tuple(
            Row((str(folder), f"{folder.messages:,}", f"{folder.unseen:,}", str(folder.uidvalidity), folder.trouble),
                CheckState.FAIL if folder.trouble else CheckState.PASS)
            for folder in new.folders
        )  # fmt: skip
    now, was = ({folder.path: folder for folder in seen.folders} for seen in (new, old))
    return tuple(_row(was.get(path), now.get(path)) for path in sorted({*now, *was}))


def _row(was: Folder | None, now: Folder | None) -> Row:
    name = str(was or now)
    if was is None or now is None:
        lost = now is None and was is not None and was.messages > 0
        state = CheckState.FAIL if lost else CheckState.WARN if now is None else None
        return Row((name, f"{was.messages:,}" if was else "-", f"{now.messages:,}" if now else "-", "", ""), state)
    same = was.uidvalidity == now.uidvalidity
    state = CheckState.PASS if same and now.messages >= was.messages else CheckState.WARN
    if now.trouble or was.trouble or (was.messages and not now.messages):
        state = CheckState.FAIL
    return Row(
        (name, f"{was.messages:,}", f"{now.messages:,}", f"{was.unseen:,} → {now.unseen:,}",
         "same" if same else f"{was.uidvalidity} → {now.uidvalidity}"), state,
    )  # fmt: skip
