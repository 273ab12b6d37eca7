"""Builds what a confirmation shows: asks the live host who it is, reads a file step's file, renders the script."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from runbook_tui.core import filestep, gates, secretfile
from runbook_tui.core.applies import not_for, step_settled
from runbook_tui.core.cksum import cksum
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.events import Role
from runbook_tui.core.model import LOCAL, Action, ActionKind, FileChange, HostName
from runbook_tui.core.proposal import NO_RETURN, YES, DryRun, Proposal
from runbook_tui.core.run import RunState, Status, Verb
from runbook_tui.core.script import as_each, become, sudo_by_path, wrap
from runbook_tui.core.settle import effective
from runbook_tui.core.text import clean_line
from runbook_tui.core.verbs import RERUN_WORD, number_of, passed_no_return, word
from runbook_tui.engine.looking import READ_TIMEOUT, dry_run, kept_out, look, recheck
from runbook_tui.ports import OutcomeUnknownError

if TYPE_CHECKING:
    from runbook_tui.core.recheck import Recheck
    from runbook_tui.core.secret import Secret
    from runbook_tui.engine.connections import Connections
    from runbook_tui.engine.secrets import RunSecrets
    from runbook_tui.ports import Clock, Identity

SYSTEM_ASKED = "uname -s; grep '^ID=' /etc/os-release"
"""How a host is asked which system it is."""

LOCK_LINE = "lock each host for this run from its first command on, in ~/.local/state/mailrunbook, until all is settled"
"""What is agreed to of the lock: beside each host's first confirmed command, and at the run's end."""


class Proposer:
    """Makes Proposals; sends only read-only commands, and only those of `consent_lines`."""

    def __init__(self, connections: Connections, clock: Clock, secrets: RunSecrets) -> None:
        self._connections = connections
        self._secrets = secrets
        self._clock = clock

    def next_attempt(self, state: RunState) -> str:
        """Give the id the next attempt of the run bears."""
        return f"{state.run}-{len(state.attempts) + 1}"

    def consent_lines(self, state: RunState) -> list[str]:
        """Give the hosts that are contacted and the read-only looks at files that need no further question."""
        lines = [
            f"connect to {host.name} ({host.ssh}) and ask it: id -un; uname -n; {SYSTEM_ASKED}"
            for host in state.hosts.values()
            if host.name != LOCAL and host.ssh
        ]
        if lines:
            lines.append(LOCK_LINE)
        if (left := state.running) is not None and left.host != LOCAL:
            lines.append(f"look for {left.id} on {left.host}, follow it, and keep it from starting if it never did")
        for action in state.runbook.actions():
            now = effective(state, action)
            if not_for(state, action):
                continue
            if now.kind is ActionKind.FILE and now.file and now.host not in {None, LOCAL}:
                lines.append(f"read {now.file.path} on {now.host} before its change is shown")
            if now.dry_run and now.kind in {ActionKind.COMMAND, ActionKind.FILE} and now.host is not None:
                what = " ".join(now.dry_run.split())
                lines.append(f"run on {now.host}, before {number_of(state, now.id)} is confirmed: {what}")
            if now.recheck and now.kind in {ActionKind.COMMAND, ActionKind.FILE} and now.host is not None:
                what = " ".join(now.recheck.split())
                lines.append(f"run on {now.host}, when you ask how {number_of(state, now.id)} stands: {what}")
        return lines

    async def propose(self, state: RunState, action_id: str, verb: Verb, edited: str | None) -> Proposal:
        """Make the proposal of one verb on one action; Engine.propose has the errors."""
        written = state.runbook.action(action_id)
        if written is None:
            raise Refused("no step is chosen")
        action = effective(state, written)
        if verb is Verb.UNDO:
            return await self._undo(state, action)
        match action.kind:
            case ActionKind.COMMAND:
                return await self._command(state, action, edited)
            case ActionKind.FILE:
                return await self._file(state, action)
            case ActionKind.WAIT:
                return self._wait(state, action)
            case _:
                raise Refused("it is done by hand; mark it done with a note")

    async def _command(self, state: RunState, action: Action, edited: str | None) -> Proposal:
        text = action.text if edited is None else edited
        if not text.strip():
            raise Refused("the command is empty")
        fed = await self._secrets.want(action.secret, action) if action.secret else None
        identity = await self._identity(action)
        dry = await self._dry_run(identity, action)
        changed = edited is not None and edited != action.text
        script = become(wrap(text, action.cwd), _other(action.become, identity))
        return self._proposal(
            state, action, identity, script, written=action.text if changed else "",
            done_when=_done_when(action), way_back=_way_back(action), dry=dry, fed=fed,
        )  # fmt: skip

    async def _file(self, state: RunState, action: Action) -> Proposal:
        if action.file is None:
            raise Refused("it does not say which file")
        identity = await self._identity(action)
        user = _other(action.become, identity)
        dry = await self._dry_run(identity, action)
        seen = await self._seen(identity, action.file.path, user)
        about = (
            f"{seen.path} is there: {seen.perms} uid {seen.uid} gid {seen.gid}" if seen.exists
            else f"{seen.path} is not there yet"
        )  # fmt: skip
        if action.file.secret:
            detail, fed = await self._secret_content(state, action, action.file, seen)
            script = filestep.write_script(action.file, seen, "", state.run, self.next_attempt(state))
            return self._proposal(
                state, action, identity, become(script, user), fed=fed, detail=f"{about}\n{detail}",
                done_when=_done_when(action), way_back=_way_back(action), dry=dry,
            )  # fmt: skip
        content = filestep.new_content(seen, action.file, action.text)
        attempt = self.next_attempt(state)
        script = filestep.write_script(action.file, seen, cksum(content), state.run, attempt)
        return self._proposal(
            state, action, identity, become(script, user), stdin=content,
            detail=f"{about}\n{filestep.diff(seen.content, content, seen.path)}",
            done_when=_done_when(action), way_back=_way_back(action), dry=dry,
        )  # fmt: skip

    async def _secret_content(
        self, state: RunState, action: Action, change: FileChange, seen: filestep.FileSeen
    ) -> tuple[str, Secret]:
        """Give what is shown of a secret file, and what its script reads."""
        literals = state.runbook.literals
        inside = secretfile.secrets_in(action.text, literals)
        filestep.new_content(seen, change, action.text)  # what is wrong with the block is told without the values
        values = {literal.text: await self._secrets.want(literal.text, action) for literal in inside}
        content = filestep.new_content(seen, change, secretfile.filled(action.text, literals, values))
        shown = secretfile.shown(action.text, inside, literals, seen, same=content == seen.content)
        return shown, secretfile.standard_input(seen, content, change.path)

    def _wait(self, state: RunState, action: Action) -> Proposal:
        if not (action.wait_for or action.gates or action.checks):
            raise Refused("it does not say how long to wait")
        until = self._clock.now() + timedelta(seconds=action.wait_for or 0)
        return self._proposal(
            state, action, None, "", detail=f"It would end at {until:%Y-%m-%d %H:%M:%S} UTC.",
            done_when=("the time is over", *_greens(action)), way_back=("leaving early is a skip, with a reason",),
        )  # fmt: skip

    async def _undo(self, state: RunState, action: Action) -> Proposal:
        if action.undos:
            hosts = {undo.host or action.host for undo in action.undos}
            if len(hosts) > 1:
                raise Refused("its ways back are on different hosts, which is not built yet", hint="Undo by hand.")
            host = hosts.pop()
            fed = await self._undo_secret(action)
            identity = await self._identity(action, host)
            return self._proposal(
                state, action, identity, _ways_back(action, identity), role=Role.UNDO,
                danger=any(undo.danger for undo in action.undos), done_when=("exit status 0",),
                fed=fed,
            )  # fmt: skip
        return await self._restore(state, action)

    async def _undo_secret(self, action: Action) -> Secret | None:
        names = list(dict.fromkeys(undo.secret for undo in action.undos if undo.secret))
        if names and len(action.undos) > 1:
            hint = "Write them as one fence, or undo by hand."
            raise Refused("of several ways back, one reads a secret: they are one command when they run", hint=hint)
        return await self._secrets.want(names[0], action) if names else None

    async def _restore(self, state: RunState, action: Action) -> Proposal:
        last = next(
            (a for a in reversed(tuple(state.attempts.values())) if a.action == action.id and a.role is Role.RUN), None
        )
        if last is None or action.file is None:
            raise Refused("there is nothing to put back")
        identity = await self._identity(action, HostName(last.host))
        user = _other(action.become, identity)
        secret, attempt = action.file.secret, self.next_attempt(state)
        if said := await kept_out(self._connections.shell(identity.host), user):
            path = action.file.path
            script = filestep.blind_restore_script(path, state.run, last.id, attempt, secret=secret)
            shown = (
                f"the backup of {path} is put back, whatever is there now. Neither can be shown: "
                f"a look gives no password, and sudo -n as {user} says: {said}"
            )
            return self._proposal(
                state, action, identity, become(script, user), role=Role.UNDO, danger=False, detail=shown,
                done_when=("exit status 0",),
            )  # fmt: skip
        backup = await self._look(identity.host, filestep.backup_read_script(state.run, last.id), "the backup", user)
        seen = await self._look(identity.host, filestep.read_script(action.file.path), action.file.path, user)
        script = filestep.restore_script(seen, backup, state.run, last.id, attempt, secret=secret)
        shown = filestep.diff(seen.content, backup.content, seen.path)
        if secret:
            shown = f"{seen.path} is as it was before; nothing of it is shown, for it holds secrets"
        if not backup.exists:
            shown = f"{seen.path} did not exist before; it is removed again\n{shown}"
        return self._proposal(
            state, action, identity, become(script, user), role=Role.UNDO, danger=False, detail=shown,
            done_when=("exit status 0",), fed=secretfile.standard_input(seen, None, seen.path) if secret else None,
        )  # fmt: skip

    async def _identity(self, action: Action, host: HostName | None = None) -> Identity:
        where = host or action.host
        if where is None:
            raise Refused("it does not say on which host")
        return await self._connections.identify(where)

    async def _dry_run(self, identity: Identity, action: Action) -> DryRun | None:
        shell, known = self._connections.shell(identity.host), self._secrets.known
        return await dry_run(shell, action, known, _other(action.become, identity)) if action.dry_run else None

    async def recheck(self, state: RunState, action_id: str) -> Recheck:
        """Ask the action's host how the action stands there; Engine.recheck has the errors."""
        written = state.runbook.action(action_id)
        if written is None:
            raise Refused("no step is chosen")
        action = effective(state, written)
        identity = await self._identity(action)
        shell, user = self._connections.shell(identity.host), _other(action.become, identity)
        return await recheck(shell, identity.host, action, self._secrets.known, user)

    async def _seen(self, identity: Identity, path: str, user: str) -> filestep.FileSeen:
        """Read a file as it is now; where sudo would ask, only if the login itself may read it."""
        script = filestep.read_script(path)
        said = await kept_out(self._connections.shell(identity.host), user)
        if not said:
            return await self._look(identity.host, script, path, user)
        why = f"~ is the home of {user}"
        if not path.startswith("~/"):
            try:
                return await self._look(identity.host, script, path)
            except Refused as error:
                why = error.title
        raise Refused(
            f"{path} cannot be read as {user} before it is changed",
            f"a look gives no password, and sudo -n says: {said}; as {identity.user}: {why}",
            hint=f"Let {identity.user} read it, have sudo ask for no password, or write the change as a command.",
        )

    async def _look(self, host: HostName, script: str, path: str, user: str = "") -> filestep.FileSeen:
        """Run a read-only script and understand its answer."""
        answer = bytearray()
        try:
            ended = await look(self._connections.shell(host), become(script, user, ask=False), answer.extend)
        except OutcomeUnknownError as error:
            raise HostError(f"{path} could not be read on {host}", str(error)) from None
        if ended is None:
            raise HostError(f"{host} did not answer within {READ_TIMEOUT:.0f} s while {path} was read")
        if ended.exit != 0:
            how = ended.lost or f"exit status {ended.exit}"
            said = clean_line(answer.decode(errors="replace"))
            raise HostError(f"{path} could not be read on {host}", f"{how}: {said}")
        return filestep.parse_seen(bytes(answer), path)

    def _proposal(
        self, state: RunState, action: Action, identity: Identity | None, command: str, *, role: Role = Role.RUN,
        stdin: bytes | None = None, written: str = "", detail: str = "", danger: bool | None = None,
        done_when: tuple[str, ...] = (), way_back: tuple[str, ...] = (), dry: DryRun | None = None,
        fed: Secret | None = None,
    ) -> Proposal:  # fmt: skip
        dangerous = action.danger if danger is None else danger
        final = action.no_return and role is Role.RUN
        host = identity.host if identity else None
        return Proposal(
            attempt=self.next_attempt(state), action=action.id, number=number_of(state, action.id),
            title=action.title, role=role, kind=action.kind, host=host,
            user=identity.user if identity else "", name=identity.name if identity else "",
            address=identity.address if identity else "", fingerprint=identity.fingerprint if identity else "",
            command=command, stdin=stdin, written=written, detail=detail, done_when=done_when, way_back=way_back,
            warnings=(*_sudo_warnings(command), *_warnings(state, action, role, dry, edited=bool(written))),
            danger=dangerous,
            wants=_wants(state, action, host, role, by_name=dangerous or final),
            gates=gates.let_through(state, action) if role is Role.RUN else (), dry_run=dry, no_return=final,
            fed=fed, input=_input(fed) if action.kind is not ActionKind.FILE else "",
        )  # fmt: skip


def _other(user: str, identity: Identity) -> str:
    """Give the user whom sudo is wanted for; empty for the one who is logged in."""
    return user if user != identity.user else ""


def _ways_back(action: Action, identity: Identity) -> str:
    """Give one script of the ways back, those of one user in a row as one shell."""
    rows = [
        (user, list(row)) for user, row in groupby(action.undos, key=lambda undo: _other(undo.become, identity))
    ]
    texts = (("".join(undo.text.rstrip("\n") + "\n" for undo in row), row[0].cwd, user) for user, row in rows)
    return as_each([(wrap(text, cwd), user) for text, cwd, user in texts])


def _input(fed: Secret | None) -> str:
    return f"the secret {fed.name}, from {fed.source or 'the operator'}, and a line end" if fed is not None else ""


def _wants(state: RunState, action: Action, host: HostName | None, role: Role, *, by_name: bool) -> str:
    words = []
    if role is Role.RUN and state.of(action.id).status is Status.UNKNOWN:
        words.append(RERUN_WORD)
    if by_name and host is not None:
        words.append(host)
    return " ".join(words) or YES


def _warnings(
    state: RunState, action: Action, role: Role, dry: DryRun | None, *, edited: bool
) -> tuple[str, ...]:
    found = []
    step = state.runbook.step(action.step)
    if role is Role.UNDO and (final := passed_no_return(state, action)) is not None:
        number, title = number_of(state, final.id), final.title
        found.append(f"the point of no return is passed: {number} ({title}) is {word(state.of(final.id).status)}")
    if role is Role.RUN:
        if action.no_return:
            found.append(NO_RETURN)
        if action.rebinds:
            found.append(f"it moves an address to {action.rebinds}: then every host has to show its own key anew")
        if dry is not None and not dry.well:
            found.append(f"the dry run did not end well: {dry.ended}")
        if dry is not None and edited:
            found.append("the dry run is that of the command as the runbook has it")
        before = state.of(action.id)
        if before.status is Status.UNKNOWN:
            found.append(f"it is not known how the last attempt ended: {before.reason}")
        elif before.status is not Status.TODO:
            found.append(f"it was confirmed before and is {word(before.status)}; this runs it again")
        if count := _unsettled_before(state, action):
            found.append(f"{count} earlier step{'s are' if count > 1 else ' is'} not settled yet")
    return (*found, *(step.warnings if step else ()))


def _sudo_warnings(script: str) -> tuple[str, ...]:
    path = sudo_by_path(script)
    why = f"{path} cannot ask for a password when it is called by its path: it fails if it wants one; sudo alone can"
    return (why,) if path else ()


def _unsettled_before(state: RunState, action: Action) -> int:
    count = 0
    for step in state.runbook.steps():
        if step.id == action.step:
            return count
        count += not step_settled(state, step)
    return count


def _done_when(action: Action) -> tuple[str, ...]:
    exits = " or ".join(str(code) for code in sorted(action.exits))
    found = [f"exit status {exits}"]
    if action.kind is ActionKind.FILE and action.file is not None:
        found = ["the whole content arrived and is in its place"]
        if action.file.validate:
            found.append(f"validate succeeds: {action.file.validate}")
    if action.expect:
        found.append(f"the output matches {action.expect}")
    found += _greens(action)
    found += [f"the output {o.match.value}: {o.text.strip()}" for o in action.outputs]
    for verify in action.verifies:
        where = f" on {verify.host}" if verify.host and verify.host != action.host else ""
        found.append(f"verify{where}: {verify.text.strip()}")
    return tuple(found)


def _greens(action: Action) -> list[str]:
    return [f"the check {name} turns green" for name in action.checks]


def _way_back(action: Action) -> tuple[str, ...]:
    if action.undos:
        return tuple(f"{_elsewhere(undo.host, action)}{undo.text.strip()}" for undo in action.undos)
    if action.kind is ActionKind.FILE and action.file is not None and action.file.backup:
        return ("the file as it was is put back from its backup",)
    return ("the runbook names none",)


def _elsewhere(host: HostName | None, action: Action) -> str:
    return f"on {host}: " if host and host != action.host else ""
