"""Pins a host's key to its role from the first connection on, and takes the operator's word for another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused
from runbook_tui.core.pins import jump_pins, jump_subject, other_pins
from runbook_tui.ports import ExpectedKeys, HostKey, KeyRefusal, KeyVerdict

if TYPE_CHECKING:
    from runbook_tui.core.model import HostName
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Identity, ShownKey

TYPED = "typed by the operator"


class Pins:
    """The keys of a run's hosts, by role (PROMISES.md 3.4); every one is in the journal."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def expected(self, name: HostName) -> ExpectedKeys:
        """Give what the next connection to a host is judged by."""
        state = self._recorder.state
        pin = state.pins.get(name)
        return ExpectedKeys(
            _key(pin) if pin else None,
            {jump: _key(one) for jump, one in jump_pins(state).items()},
            {role: _key(one) for role, one in other_pins(state, name).items()},
        )

    def mistaken(self, identity: Identity) -> KeyRefusal | None:
        """Say when a host that just answered is another one, whose key became known while it was connected to."""
        own = _own(identity)
        if own is None:
            return None
        others = other_pins(self._recorder.state, identity.host)
        roles = " and ".join(role for role, pin in others.items() if pin.key == own.key.key)
        if not roles:
            return None
        return KeyRefusal(KeyVerdict.OTHER_ROLE, own.key, identity.host, identity.address, role=roles)

    def learn(self, identity: Identity) -> None:
        """Pin the keys of a connection that had none: from now on no other is taken in this run."""
        for shown in identity.keys:
            subject = jump_subject(shown.jump) if shown.jump else identity.host
            if subject not in self._recorder.state.pins:
                self._recorder.happened(_pinned(subject, shown.key, shown.source, "mailrunbook"))

    def accept(self, name: HostName, refusal: KeyRefusal | None, fingerprint: str, reason: str, by: str) -> None:
        """Pin the key that was refused, because the operator vouches for it.

        Raises:
            Refused: no key can be trusted, the fingerprint is another, or why is not said where it must be.
            StateDirError: it cannot be recorded.
        """
        if refusal is None:
            raise Refused(f"{name} has shown no key that needs trusting")
        if not refusal.can_be_trusted or refusal.key is None:
            whose = f"the key of {refusal.role}" if refusal.verdict is KeyVerdict.OTHER_ROLE else "a revoked key"
            raise Refused(f"{name} shows {whose}; it cannot be trusted")
        key = refusal.key
        whole = {key.fingerprint, key.fingerprint.removeprefix("SHA256:")}
        if fingerprint.strip() not in (whole if refusal.alarming else {*whole, key.fingerprint[-6:]}):
            shown = f"It showed {key.fingerprint}."
            if refusal.alarming and fingerprint.strip() == key.fingerprint[-6:]:
                raise Refused("another key was expected: the whole fingerprint is wanted", shown)
            raise Refused("that is not the fingerprint the host showed", shown)
        if refusal.alarming and not reason.strip():
            raise Refused("another key was expected: say why this one is right", "The transcript shows it.")
        subject = jump_subject(refusal.jump) if refusal.jump else name
        instead = ", ".join(one.fingerprint for one in refusal.expected)
        event = _pinned(subject, key, TYPED, by)
        self._recorder.intend(replace(event, instead=instead, reason=reason.strip()))


def _own(identity: Identity) -> ShownKey | None:
    return next((shown for shown in identity.keys if not shown.jump), None)


def _key(pin: ev.HostPinned) -> HostKey:
    return HostKey(pin.algorithm, pin.fingerprint, pin.key)


def _pinned(subject: str, key: HostKey, source: str, by: str) -> ev.HostPinned:
    return ev.HostPinned(
        host=subject, algorithm=key.algorithm, fingerprint=key.fingerprint, key=key.key, source=source, by=by
    )
