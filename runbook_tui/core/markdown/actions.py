"""Actions of one step: its fences and item comment with their attributes merged, and what holds each back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runbook_tui.core.applies import system_word
from runbook_tui.core.filestep import climbs
from runbook_tui.core.markdown import shell, values, words
from runbook_tui.core.markdown.attributes import Attributes
from runbook_tui.core.markdown.classify import SURE
from runbook_tui.core.markdown.vocabulary import did_you_mean, kind_of, not_built
from runbook_tui.core.model import (
    LOCAL,
    Action,
    ActionId,
    ActionKind,
    BlockKind,
    ExpectedOutput,
    FileChange,
    FileMode,
    Hold,
    HoldCode,
    HostName,
    Match,
    Problem,
    Severity,
    StepId,
    Undo,
    Verify,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runbook_tui.core.markdown.classify import Decision
    from runbook_tui.core.markdown.fences import Fence
    from runbook_tui.core.markdown.sections import DraftStep

NONE = Attributes()
_ACTION_KINDS = {"run": ActionKind.COMMAND, "file": ActionKind.FILE, "session": ActionKind.INTERACTIVE}
_DECIDED = {
    BlockKind.COMMAND: ActionKind.COMMAND,
    BlockKind.MIXED: ActionKind.COMMAND,
    BlockKind.INTERACTIVE: ActionKind.INTERACTIVE,
    BlockKind.FILE: ActionKind.FILE,
}


@dataclass(slots=True)
class Context:
    """What a step is built with. `hosts` are the known names, `literal_texts` the words that stand for values."""

    annotated: bool
    hosts: Collection[str]
    literal_texts: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)

    def error(self, line: int, column: int, code: str, message: str, hint: str = "") -> None:
        """Note an error; in a bare file it is a warning, because nothing is run as it stands there."""
        severity = Severity.ERROR if self.annotated else Severity.WARNING
        self.problems.append(Problem(line, column, severity, code, message, hint))


@dataclass(slots=True)
class ActionDraft:
    """An action before it gets its id. `own` is its fence's group, `shared` the item comment's."""

    action: Action
    explicit_id: str = ""
    own: Attributes = NONE
    shared: Attributes = NONE
    fence: Fence | None = None


@dataclass(slots=True)
class Belonging:
    """A `.verify`, `.undo` or `.output` fence; `after` is the action just before it in its step, if any."""

    fence: Fence
    step: DraftStep | None
    after: ActionDraft | None


@dataclass(slots=True)
class StepParts:
    """What a step is made of."""

    actions: list[ActionDraft] = field(default_factory=list)
    belongings: list[Belonging] = field(default_factory=list)


def step_parts(step: DraftStep, context: Context) -> StepParts:
    """Give a step's actions in order and the fences that belong to one of them."""
    parts = StepParts()
    shared = step.attributes or NONE
    step_kind = kind_of(shared)
    if step_kind in {"manual", "wait"}:
        parts.actions.append(_by_hand(step, shared, step_kind, context))
    for fence, decision in zip(step.fences, step.decisions, strict=True):
        if fence.kind in {"verify", "undo", "output"}:
            after = parts.actions[-1] if parts.actions else None
            parts.belongings.append(Belonging(fence, step, after))
            continue
        draft = _from_fence(step, fence, decision, shared, context)
        if draft is None:
            continue
        if step_kind in {"manual", "wait"}:
            message = f"a .{step_kind} step has no .{fence.kind} fence"
            context.error(fence.line, fence.column, "two-kinds", message, f"take .{step_kind} or the fence away")
        parts.actions.append(draft)
    if not parts.actions and (not context.annotated or step.attributes is not None):
        parts.actions.append(_by_hand(step, shared, "", context))
    return parts


def _by_hand(step: DraftStep, shared: Attributes, kind: str, context: Context) -> ActionDraft:
    wait = values.duration(shared.values.get("for", "")) if kind == "wait" else None
    if not kind and not context.annotated:
        wait = words.wait_seconds(step.title)
    action = Action(
        id=ActionId(""), step=StepId(""), kind=ActionKind.WAIT if kind == "wait" or wait else ActionKind.MANUAL,
        title=step.title, line=step.line, digest="", wait_for=wait,
    )  # fmt: skip
    return _merged(ActionDraft(action, "", NONE, shared), step, context)


def _from_fence(
    step: DraftStep, fence: Fence, decision: Decision | None, shared: Attributes, context: Context
) -> ActionDraft | None:
    kind = _ACTION_KINDS.get(fence.kind)
    if kind is None and decision is not None and decision.runnable and not fence.kind:
        kind = _DECIDED[decision.kind]
    if kind is None:
        return None
    text = decision.text if decision is not None else fence.text
    file = _file(fence, decision, context) if kind is ActionKind.FILE else None
    if kind is ActionKind.FILE and file is None:
        return None
    if kind is ActionKind.COMMAND and not shell.logical_lines(text):
        message = "this command is empty" if not text.strip() else "this command holds nothing but comments"
        context.error(fence.line, 1, "empty-command", message)
    own = fence.attributes or NONE
    title = file.path if file is not None else next(iter(shell.logical_lines(text)), step.title).split("\n")[0]
    action = Action(
        id=ActionId(""), step=StepId(""), kind=kind, title=title[: words.LONGEST_TITLE], line=fence.line, digest="",
        text=text, language=fence.language, file=file,
    )  # fmt: skip
    draft = _merged(ActionDraft(action, own.id, own, shared, fence), step, context)
    holds = list(draft.action.holds)
    if file is not None and file.mode is None:
        holds.append(Hold(HoldCode.NO_MODE, "it does not say how the file is changed", "mode"))
    if decision is not None and decision.confidence < SURE:
        holds.append(Hold(HoldCode.UNREAD, f"it is not certain what this is: {decision.why}", "block"))
    elif file is not None and not context.annotated and (
        not file.path.startswith(("/", "~/")) or climbs(file.path)
    ):
        holds.append(Hold(HoldCode.UNREAD, f"{file.path} does not say in which folder", "path"))
    draft.action = replace(draft.action, holds=tuple(holds))
    return draft


def _file(fence: Fence, decision: Decision | None, context: Context) -> FileChange | None:
    path = fence.value("file") or (decision.path if decision is not None else fence.path)
    own = fence.attributes or NONE
    if fence.value("file") and fence.path and fence.path != fence.value("file"):
        message = f"two paths: {fence.path} and file={fence.value('file')}"
        context.error(fence.line, own.column("file"), "two-paths", message, "keep one of them")
    if not path:
        hint = "write it after the language, or file=PATH"
        context.error(fence.line, fence.column, "no-path", "a .file fence without a path", hint)
        return None
    absolute = path.startswith(("/", "~/")) or any(path.startswith(text) for text in context.literal_texts)
    if context.annotated and not absolute:
        hint = "begin it with / or ~/"
        context.error(fence.line, fence.column, "relative-path", f"{path} does not say in which folder", hint)
    if climbs(path):
        column = own.column("file") if fence.value("file") else fence.column
        message = f"{path} climbs out of its folder with .."
        context.error(fence.line, column, "climbing-path", message, "write the path out")
    mode = fence.value("mode")
    return FileChange(
        path=path, mode=FileMode(mode) if mode in list(FileMode) else None, owner=fence.value("owner"),
        perm=fence.value("perm"), backup=values.yes_or_no(fence.value("backup")) is not False,
        validate=fence.value("validate"),
    )  # fmt: skip


def _merged(draft: ActionDraft, step: DraftStep, context: Context) -> ActionDraft:
    """Take in the attributes: the fence's own over the item comment's."""
    merged = {**draft.shared.values, **draft.own.values}
    classes = {*draft.shared.classes, *draft.own.classes}
    host, why, holds = _host(draft, step, context)
    holds += [h for h in (*not_built(draft.shared), *not_built(draft.own)) if h not in holds]
    _check_recheck(draft, merged, context)
    file, command = draft.action.file, draft.action.kind is ActionKind.COMMAND
    draft.action = replace(
        draft.action,
        file=replace(file, secret="secret" in classes) if file is not None else None,
        secret=merged.get("secret", "") if command else "",
        become=_become(merged) if command or file is not None else "",
        host=host,
        host_why=why,
        exits=values.exits(merged.get("exit", "0")) or frozenset({0}),
        expect=merged.get("expect", ""),
        timeout=values.duration(merged.get("timeout", "")),
        cwd=merged.get("cwd", ""),
        needs=tuple(name.lstrip("#") for name in names_in(merged.get("needs", ""))),
        gates=tuple(dict.fromkeys(names_in(merged.get("gate", "")))),
        checks=tuple(dict.fromkeys(names_in(merged.get("check", "")))),
        when=merged.get("when", "").strip(),
        alt=values.alternative(merged.get("alt", "")),
        optional=values.yes_or_no(merged.get("optional", "no")) is True,
        dry_run=merged.get("dry-run", ""),
        danger="danger" in classes,
        no_return="no-return" in classes,
        no_log="no-log" in classes,
        idempotent=values.yes_or_no(merged.get("idempotent", "no")) is True,
        recheck=merged.get("recheck", ""),
        rebinds=merged.get("rebinds", ""),
        eta=values.duration(merged.get("eta", "")),
        os=system_word(merged.get("os", "")),
        each=values.each(merged.get("each", "")),
        attributes=merged,
        holds=tuple(holds),
    )
    return draft


def _check_recheck(draft: ActionDraft, merged: Mapping[str, str], context: Context) -> None:
    """Note a recheck that is the command itself: asking how it ended would run it a second time."""
    recheck = merged.get("recheck", "").strip()
    if recheck and recheck == draft.action.text.strip():
        source = draft.own if "recheck" in draft.own.values else draft.shared
        hint = "write a read-only command that exits with 0 when the step is done"
        message = "recheck is the command itself, so it would run a second time"
        context.error(source.line, source.column("recheck"), "recheck-runs-it", message, hint)


def _become(attributes: Mapping[str, str]) -> str:
    """Give the user that `user=` or `sudo=` names; empty for the one who logs in."""
    root = "root" if values.yes_or_no(attributes.get("sudo", "no")) else ""
    return attributes.get("user", "") or root


def _host(draft: ActionDraft, step: DraftStep, context: Context) -> tuple[HostName | None, str, list[Hold]]:
    """Give the action's host, why it is that one, and what is missing."""
    runs = draft.action.kind in {ActionKind.COMMAND, ActionKind.FILE}
    name, why, source = draft.own.values.get("host", ""), "its fence says so", draft.own
    if not name:
        name, why, source = draft.shared.values.get("host", ""), "its item comment says so", draft.shared
    above = step.parent
    while not name and above is not None:
        source = above.attributes or NONE
        name, why = source.values.get("host", ""), f"from the step above it ({above.title})"
        above = above.parent
    if not name or name == "?":
        place = words.named_place(step.title)
        said = f" (the text says “{place}”)" if place else ""
        hold = Hold(HoldCode.NO_HOST, f"it does not say on which host{said}", "host")
        return None, "", [hold] if runs else []
    if name not in context.hosts and name != LOCAL:
        unknown_host(name, source, context)
        hold = Hold(HoldCode.UNKNOWN_HOST, f"nothing says how {name} is reached", name)
        return HostName(name), why, [hold] if runs else []
    return HostName(name), why, []


def unknown_host(name: str, source: Attributes, context: Context, key: str = "host") -> None:
    """Note a host that is not declared, once a place."""
    hint = did_you_mean(name, [*context.hosts, LOCAL]) or "declare it under hosts: in the front matter"
    message = f"the host {name} is not declared"
    severity = Severity.ERROR if context.annotated else Severity.WARNING
    problem = Problem(source.line, source.column(key), severity, "unknown-host", message, hint)
    if problem not in context.problems[-50:]:
        context.problems.append(problem)


def names_in(text: str) -> list[str]:
    """Give the names of `needs="a b"` or `gate="a, b"`."""
    return text.replace(",", " ").split()


def belong(draft: ActionDraft, belonging: Belonging, context: Context) -> None:
    """Hang a `.verify`, `.undo` or `.output` fence on its action."""
    fence = belonging.fence
    own = fence.attributes or NONE
    shared = (belonging.step.attributes if belonging.step is not None else None) or NONE
    action = draft.action
    host = HostName(own.values["host"]) if own.values.get("host", "?") != "?" else None
    if host is not None and host not in context.hosts and host != LOCAL:
        unknown_host(host, own, context)
    exits = values.exits(own.values.get("exit", "0")) or frozenset({0})
    timeout = values.duration(own.values.get("timeout", ""))
    cwd = own.values.get("cwd", "") or shared.values.get("cwd", "")
    system = system_word(own.values.get("os", ""))
    secret = own.values.get("secret", "")
    match fence.kind:
        case "verify":
            retry = own.values.get("retry", "0")
            verify = Verify(
                fence.text, fence.line, host, exits, own.values.get("expect", ""), timeout, cwd,
                int(retry) if retry.isdigit() else 0, values.duration(own.values.get("every", "")) or 1.0,
                system, secret, _become(own.values),
            )  # fmt: skip
            action = replace(action, verifies=(*action.verifies, verify))
        case "undo":
            undo = Undo(
                fence.text, fence.line, host, exits, timeout, cwd, own.has("danger"), system, secret,
                _become(own.values),
            )  # fmt: skip
            action = replace(action, undos=(*action.undos, undo))
        case _:
            match = own.values.get("match", Match.CONTAINS)
            kind = Match(match) if match in list(Match) else Match.CONTAINS
            if kind is Match.REGEX and (why := values.pattern_problem(fence.text.rstrip("\n"))):
                context.error(fence.line, fence.column, "bad-value", f"this is no regular expression: {why}")
            action = replace(action, outputs=(*action.outputs, ExpectedOutput(fence.text, fence.line, kind)))
    if fence.kind != "output" and not shell.logical_lines(fence.text):
        context.error(fence.line, 1, "empty-command", f"this .{fence.kind} fence is empty")
    more = [hold for hold in not_built(own) if hold not in action.holds]
    draft.action = replace(action, holds=(*action.holds, *more))


def digest(action: Action, classes: Mapping[str, object]) -> str:
    """Give the sha256 over everything that decides what the action does."""
    body = {
        "kind": action.kind, "host": action.host, "text": action.text, "attributes": dict(action.attributes),
        "classes": classes, "path": action.file.path if action.file else "", "wait": action.wait_for,
        "mode": action.file.mode if action.file else None,
        "verify": [[v.text, v.host, sorted(v.exits), v.expect, v.timeout, v.cwd, v.retry, v.every, v.os,
                    *filter(None, [v.secret, v.become])] for v in action.verifies],
        "undo": [[u.text, u.host, sorted(u.exits), u.timeout, u.cwd, u.danger, u.os,
                  *filter(None, [u.secret, u.become])] for u in action.undos],
        "output": [[o.text, o.match] for o in action.outputs],
    }  # fmt: skip
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
