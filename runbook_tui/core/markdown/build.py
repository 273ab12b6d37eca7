"""Drafts to the model's phases: ids, numbers, roles, each step's own Markdown, and dangling references."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runbook_tui.core.markdown.actions import (
    NONE,
    ActionDraft,
    Belonging,
    Context,
    StepParts,
    belong,
    digest,
    step_parts,
)
from runbook_tui.core.markdown.shell import logical_lines
from runbook_tui.core.markdown.vocabulary import FENCE_KINDS, did_you_mean
from runbook_tui.core.model import (
    Action,
    ActionId,
    Block,
    BlockKind,
    Phase,
    PhaseRole,
    Problem,
    Severity,
    Step,
    StepId,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.core.markdown.attributes import Attributes
    from runbook_tui.core.markdown.classify import Decision
    from runbook_tui.core.markdown.fences import Fence
    from runbook_tui.core.markdown.sections import Draft, DraftPhase, DraftStep

BLOCK_KINDS = dict(
    zip(
        FENCE_KINDS,
        (BlockKind.COMMAND, BlockKind.FILE, BlockKind.OUTPUT, BlockKind.VERIFY, BlockKind.UNDO,
         BlockKind.INTERACTIVE, BlockKind.EXAMPLE, BlockKind.DNS, BlockKind.OUTPUT),
        strict=True,
    )
)  # fmt: skip
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_INDENT = re.compile(r"[ \t]*")


@dataclass(slots=True)
class Built:
    """The phases, and for each id (of a step, action or fence) where it stands."""

    phases: tuple[Phase, ...]
    explicit: dict[str, tuple[int, int]] = field(default_factory=dict)


class Builder:
    """Builds the phases of one file."""

    def __init__(self, draft: Draft, lines: list[str], context: Context) -> None:
        self.draft = draft
        self.lines = lines
        self.context = context
        self.parts: dict[int, StepParts] = {}
        self.step_ids: dict[int, str] = {}
        self.explicit: dict[str, tuple[int, int]] = {}
        self.targets: dict[str, ActionDraft] = {}
        self.taken: set[str] = set()
        self.repeats: dict[str, int] = {}

    def build(self) -> Built:
        """Give the phases."""
        self._collect_ids()
        steps = [step for phase in self.draft.phases for step in phase.steps]
        for step in steps:
            self.parts[id(step)] = step_parts(step, self.context)
        for step in steps:
            self._name(step)
        self._hang()
        sources = self._sources()
        return Built(tuple(self._phases(sources)), self.explicit)

    def _collect_ids(self) -> None:
        """Note every explicit id; a second one of the same name is an error."""
        for attributes in self.groups():
            name = attributes.id
            if not name:
                continue
            place = (attributes.line, attributes.column("#" + name))
            if name in self.explicit:
                first = self.explicit[name][0]
                message = f"the id #{name} is given twice; first on line {first}"
                self.context.error(*place, "duplicate-id", message, "choose another one")
            else:
                self.explicit[name] = place
        self.taken |= set(self.explicit)

    def groups(self) -> Iterator[Attributes]:
        """Give every attribute group in the order of the lines."""
        steps = [step for phase in self.draft.phases for step in phase.steps]
        found = [step.attributes for step in steps]
        found += [fence.attributes for fence in self.draft.fences()]
        yield from sorted((group for group in found if group is not None), key=lambda group: group.line)

    def _name(self, step: DraftStep) -> None:
        """Give the step and its actions their ids."""
        actions = self.parts[id(step)].actions
        name = (step.attributes or NONE).id
        if not name and len(actions) == 1:
            name = actions[0].explicit_id
        name = name or self._derived(step)
        self.step_ids[id(step)] = name
        variants = all("os" in draft.action.attributes for draft in actions)  # of one action: only one of them applies
        for number, draft in enumerate(actions, 1):
            own = draft.explicit_id or (name if len(actions) == 1 else f"{name}.{number}")
            title = step.title if len(actions) == 1 or variants else draft.action.title
            draft.action = replace(draft.action, id=ActionId(own), step=StepId(name), title=title)
            if own in self.explicit:
                self.targets.setdefault(own, draft)
        if actions and name in self.explicit:
            self.targets.setdefault(name, actions[-1])

    def _derived(self, step: DraftStep) -> str:
        """Give an id from heading path, title and block text, so that steps put in before it do not change it."""
        slug = _NOT_SLUG.sub("-", step.title.lower()).strip("-")[:40].strip("-") or "step"
        body = "\x1f".join([*step.headings, step.title, *(fence.text for fence in step.fences)])
        name = f"{slug}-{hashlib.sha256(body.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        unique = name
        while unique in self.taken:
            self.repeats[name] = self.repeats.get(name, 1) + 1
            unique = f"{name}-{self.repeats[name]}"
        self.taken.add(unique)
        return unique

    def _hang(self) -> None:
        """Hang `.verify`, `.undo` and `.output` fences on their actions."""
        belongings = [b for parts in self.parts.values() for b in parts.belongings]
        for phase in self.draft.phases:
            belongings += [Belonging(f, None, None) for f in phase.fences if f.kind in {"verify", "undo", "output"}]
        for belonging in belongings:
            draft = self._owner_of(belonging)
            if draft is not None:
                belong(draft, belonging, self.context)

    def _owner_of(self, belonging: Belonging) -> ActionDraft | None:
        fence = belonging.fence
        own = fence.attributes or NONE
        name = own.values.get("of", "").lstrip("#")
        if not name:
            if belonging.after is None and fence.kind != "output":
                message = f"no action stands before this .{fence.kind} fence in its step"
                self.context.error(fence.line, fence.column, "dangling-of", message, "say of=ID")
            return belonging.after
        if name in self.targets:
            return self.targets[name]
        if name in self.explicit:
            message, hint = f"of={name}: #{name} is no action", "name the id of a .run or .file fence or a step"
        else:
            message, hint = f"of={name}: there is no #{name}", did_you_mean(name, self.targets, "#")
        self.context.error(fence.line, own.column("of"), "dangling-of", message, hint)
        return None

    def _phases(self, sources: dict[int, tuple[str, int]]) -> Iterator[Phase]:
        number = 0
        pending: list[str] = []
        for draft in self.draft.phases:
            role = draft.role
            if role is None:
                role = PhaseRole.STEPS if draft.steps else PhaseRole.GROUP if draft.group else PhaseRole.REFERENCE
            forward = role is PhaseRole.STEPS
            number += forward
            label = str(number) if forward else ""
            pending += draft.warnings
            steps = tuple(self._steps(draft, label, sources, pending))
            pending = [] if steps else pending
            blocks = tuple(_block(f, d) for f, d in zip(draft.fences, draft.decisions, strict=True))
            prose = sources.get(id(draft), ("", 0))[0]
            yield Phase(draft.title, role, draft.line, draft.level, label, draft.name, steps, blocks, prose)
            if draft.role is not None and steps and not forward and self.context.annotated:
                message = f"the steps under {draft.title!r} are not walked through: it reads as a way back or an aside"
                hint = "rename the heading if they belong to the way forward"
                self.context.problems.append(Problem(draft.line, 1, Severity.WARNING, "not-forward", message, hint))

    def _steps(
        self, phase: DraftPhase, label: str, sources: dict[int, tuple[str, int]], pending: list[str]
    ) -> Iterator[Step]:
        counters: list[int] = []
        for position, draft in enumerate(phase.steps):
            counters = counters[: draft.depth + 1]
            counters += [0] * (draft.depth + 1 - len(counters))
            counters[-1] += 1
            number = ".".join([label, *map(str, counters)]) if label else ""
            source, end = sources.get(id(draft), ("", draft.line))
            warnings = (*(pending if position == 0 else ()), *draft.warnings)
            yield Step(
                id=StepId(self.step_ids[id(draft)]), number=number, title=draft.title, line=draft.line, end_line=end,
                source=source, actions=tuple(map(_sealed, self.parts[id(draft)].actions)),
                blocks=tuple(_block(f, d) for f, d in zip(draft.fences, draft.decisions, strict=True)),
                depth=draft.depth, inline=draft.inline(), warnings=warnings,
            )  # fmt: skip

    def _sources(self) -> dict[int, tuple[str, int]]:
        """Give each step's and phase's own Markdown and its last line, by the identity of its draft."""
        numbers: dict[int, list[int]] = {}
        for number, owner in enumerate(self.draft.owners):
            if owner is not None:
                numbers.setdefault(id(owner), []).append(number)
        return {key: self._source(found) for key, found in numbers.items()}

    def _source(self, numbers: list[int]) -> tuple[str, int]:
        own = set(numbers)
        # What belongs to a sub-step or to nobody is left blank: a line of the source stays at its distance.
        texts = [self.lines[n] if n in own else "" for n in range(numbers[0], numbers[-1] + 1)]
        while texts and not texts[-1].strip():
            texts.pop()
        if not texts:
            return "", numbers[0] + 1
        found = _INDENT.match(texts[0])
        indent = found.end() if found else 0
        kept = [text[min(indent, len(text) - len(text.lstrip())) :] for text in texts]
        return "\n".join(kept) + "\n", numbers[0] + len(texts)


def _sealed(draft: ActionDraft) -> Action:
    classes = sorted({*draft.shared.classes, *draft.own.classes})
    return replace(draft.action, digest=digest(draft.action, {"all": classes}))


def _block(fence: Fence, decision: Decision | None) -> Block:
    if decision is not None:
        return decision.block(fence)
    kind = BLOCK_KINDS.get(fence.kind, BlockKind.EXAMPLE)
    why = f"it is marked .{fence.kind}" if fence.kind else "it is not marked, so it is only shown"
    path = fence.value("file") or fence.path
    return Block(
        line=fence.line, kind=kind, text=fence.text, language=fence.language, path=path, why=why,
        commands=logical_lines(fence.text) if kind is BlockKind.COMMAND else (),
    )  # fmt: skip
