"""What a runbook is once it has been read: phases, steps, actions, hosts, literals, checks. All frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HostName = NewType("HostName", str)
"""A role used by `host=`: `old`, `new`, `local`; never an address."""
StepId = NewType("StepId", str)
ActionId = NewType("ActionId", str)
"""The unit of confirmation; a step with one action bears that action's id."""

LOCAL = HostName("local")


class Severity(StrEnum):
    """How much a problem in the file matters: an error keeps the runbook from being opened."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the file; line and column count from 1."""

    line: int
    column: int
    severity: Severity
    code: str
    message: str
    hint: str = ""


class BlockKind(StrEnum):
    """What a block of the file is; the values are those of `outline --json` (FORMAT.md)."""

    COMMAND = "cmd"
    FILE = "file"
    OUTPUT = "out"
    MIXED = "mixed"
    INTERACTIVE = "interactive"
    EXAMPLE = "example"
    DNS = "dns"
    VERIFY = "verify"
    UNDO = "undo"


class ActionKind(StrEnum):
    """What happens when an action is confirmed; the values are those of `outline --json` and `status --json`."""

    COMMAND = "command"
    FILE = "file"
    MANUAL = "manual"
    INTERACTIVE = "interactive"
    WAIT = "wait"


class FileMode(StrEnum):
    """How a file step changes the file: FORMAT.md, `mode=`."""

    CREATE = "create"
    REPLACE = "replace"
    APPEND = "append"
    SET = "set"
    PATCH = "patch"


class Match(StrEnum):
    """How an `.output` fence is compared with what came."""

    CONTAINS = "contains"
    REGEX = "regex"
    EXACT = "exact"


class HoldCode(StrEnum):
    """Why an action is held back, and so what lifts it."""

    NO_HOST = "no-host"  # `set host NAME`
    UNKNOWN_HOST = "unknown-host"  # `--host NAME=…` or `set host NAME`
    LITERAL = "literal"  # `set LITERAL=VALUE`
    NO_MODE = "no-mode"  # `set mode MODE`
    UNREAD = "unread"  # `accept`
    KIND = "kind"  # `set kind run|file|manual`
    UNSUPPORTED = "unsupported"  # nothing yet: skip it or mark it done by hand
    NEEDS = "needs"  # the action named in `subject` must be settled first
    SYSTEM = "system"  # connecting to the host in `subject`, or `set os=WORD`
    CONTRADICTION = "contradiction"  # `accept`, or `set os=WORD`
    LIST = "list"  # `set LIST=A,B`
    WHEN = "when"  # `set when=yes|no`
    ALT = "alt"  # `set alt=CHOICE`
    TELLS = "tells"  # nothing: a secret belongs into the keyring, not into a runbook
    GATE = "gate"  # `override REASON`
    REBOUND = "rebound"  # connecting to the hosts in `subject`, or `override REASON` for one that is gone


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason an action is held back.

    `subject` is what has to be settled: a literal's text, an attribute, a host or an action id.
    """

    code: HoldCode
    why: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of the migration, as the front matter or `--host` names it.

    `ssh` is `user@name[:port]`, an alias of the operator's ssh configuration, or `""` for `local`. `os` is its
    system as one word in lower case, empty where the host itself is asked.
    """

    name: HostName
    ssh: str = ""
    dns_name: str = ""
    os: str = ""
    also: tuple[str, ...] = ()


class LiteralSource(StrEnum):
    """Where the value of a word of the text comes from."""

    HOST = "host"
    VAR = "var"
    SECRET = "secret"  # noqa: S105 -- a kind of literal, not a secret
    GUESS = "guess"  # it looks like a placeholder, nothing in the file says so


@dataclass(frozen=True, slots=True)
class Literal:
    """A word of the runbook's text that stands for a value.

    `key` is the variable's, host's or keyring entry's name. `match` is the pattern a value must match whole
    (FORMAT.md, Spelling 4). `word` asks for whole-word matches only. `lines` are where it occurs.
    """

    text: str
    source: LiteralSource
    key: str
    kind: str = ""
    ask: str = ""
    match: str = ""
    default: str | None = None
    word: bool = False
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ListSpec:
    """A named list for `each=`."""

    name: str
    ask: str = ""
    default: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Each:
    """`each="user in mailboxes"`: the literal with the key `variable` stands for every item of `list` in turn."""

    variable: str
    list: str


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A live check of the front matter. `every` and `timeout` are seconds; `options` are the type's own keys."""

    name: str
    type: str
    options: Mapping[str, object] = field(default_factory=dict)
    every: float = 60.0
    timeout: float = 10.0
    label: str = ""
    phases: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """A fence or indented block as it stands in the file, with how it was understood.

    `line` is the opening fence's line; `text` the body with LF line ends; `commands` its logical lines.
    `confidence` 0..1 and `why` name the rule that decided `kind`.
    """

    line: int
    kind: BlockKind
    text: str
    language: str = ""
    path: str = ""
    commands: tuple[str, ...] = ()
    confidence: float = 1.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verify:
    """A `.verify` fence: read-only proof, run after its action succeeded. `every` is seconds between tries."""

    text: str
    line: int
    host: HostName | None = None
    exits: frozenset[int] = frozenset({0})
    expect: str = ""
    timeout: float | None = None
    cwd: str = ""
    retry: int = 0
    every: float = 1.0
    os: str = ""
    secret: str = ""
    become: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """An `.undo` fence: the way back of its action."""

    text: str
    line: int
    host: HostName | None = None
    exits: frozenset[int] = frozenset({0})
    timeout: float | None = None
    cwd: str = ""
    danger: bool = False
    os: str = ""
    secret: str = ""
    become: str = ""


@dataclass(frozen=True, slots=True)
class ExpectedOutput:
    """An `.output` fence with `of=`: what the action's output must look like."""

    text: str
    line: int
    match: Match = Match.CONTAINS


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a file step does to `path`. `owner` is `user[:group]`, `perm` an octal string; empty means kept.

    A `secret` one has values of literals of kind secret in it; without a `perm` it is 0600, and no difference of it is
    shown or kept.
    """

    path: str
    mode: FileMode | None = None
    owner: str = ""
    perm: str = ""
    backup: bool = True
    validate: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One fence, file, manual or wait item: what is confirmed, skipped, retried on its own.

    `text` is the command or the file's content as written, literals not resolved. `timeout` and `wait_for`
    are seconds. `gates` name checks that let it start, `checks` what must be green after it, `when` is a sentence,
    `alt` a group and its choice. `holds` are the reasons known from the file alone; literals, needs, conditions and
    gates are found by `settle.holds()`. `digest` is the sha256 of kind, host, text and attributes: "changed since you
    ran it".
    `rebinds` is the host that has another address once it is done.
    `secret` names what comes on its standard input, `become` the user it runs as by sudo. `os` is the
    system it is for, empty for any. With `each` it stands for one action an item of the list; `item` is set on those,
    and `bound` has the item by the texts that stand for it (`each.expand`).
    """

    id: ActionId
    step: StepId
    kind: ActionKind
    title: str
    line: int
    digest: str
    text: str = ""
    language: str = ""
    host: HostName | None = None
    host_why: str = ""
    file: FileChange | None = None
    exits: frozenset[int] = frozenset({0})
    expect: str = ""
    timeout: float | None = None
    cwd: str = ""
    wait_for: float | None = None
    needs: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    when: str = ""
    alt: tuple[str, str] | None = None
    optional: bool = False
    dry_run: str = ""
    danger: bool = False
    no_return: bool = False
    no_log: bool = False
    idempotent: bool = False
    recheck: str = ""
    rebinds: str = ""
    eta: float | None = None
    os: str = ""
    each: Each | None = None
    secret: str = ""
    become: str = ""
    item: str = ""
    bound: Mapping[str, str] = field(default_factory=dict)
    verifies: tuple[Verify, ...] = ()
    outputs: tuple[ExpectedOutput, ...] = ()
    undos: tuple[Undo, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()

    @property
    def written_id(self) -> ActionId:
        """The id it has in the file: that of all its items together."""
        return ActionId(self.id.removesuffix(f":{self.item}")) if self.item else self.id


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the runbook: prose and its actions in order. `number` is `3.2` or `3.2.1`; `depth` 0 or more.

    `source` is the step's own Markdown (without its sub-steps), `line`..`end_line` its lines in the file.
    """

    id: StepId
    number: str
    title: str
    line: int
    end_line: int
    source: str
    actions: tuple[Action, ...]
    blocks: tuple[Block, ...] = ()
    depth: int = 0
    inline: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class PhaseRole(StrEnum):
    """What a section is for; only `steps` is walked through (FORMAT.md, rule 3)."""

    STEPS = "steps"
    GROUP = "group"
    REFERENCE = "reference"
    PREREQ = "prereq"
    ROLLBACK = "rollback"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Phase:
    """A section. `steps` are in document order, sub-steps after their parent with a greater depth."""

    title: str
    role: PhaseRole
    line: int
    level: int
    number: str = ""
    name: str = ""
    steps: tuple[Step, ...] = ()
    blocks: tuple[Block, ...] = ()
    prose: str = ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """A whole file, read. `sha256` is of the file's bytes; `annotated` means it has a `runbook:` front matter."""

    title: str
    text: str
    sha256: str
    encoding: str
    annotated: bool
    phases: tuple[Phase, ...]
    hosts: Mapping[HostName, Host] = field(default_factory=dict)
    literals: tuple[Literal, ...] = ()
    lists: Mapping[str, ListSpec] = field(default_factory=dict)
    checks: tuple[CheckSpec, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep this runbook from being opened."""
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)

    def steps(self) -> Iterator[Step]:
        """Every step of the forward path, in order."""
        for phase in self.phases:
            if phase.role is PhaseRole.STEPS:
                yield from phase.steps

    def actions(self) -> Iterator[Action]:
        """Every action of the forward path, in order."""
        for step in self.steps():
            yield from step.actions

    def step(self, step_id: str) -> Step | None:
        """The step with this id."""
        return next((s for s in self.steps() if s.id == step_id), None)

    def action(self, action_id: str) -> Action | None:
        """The action with this id."""
        return next((a for a in self.actions() if a.id == action_id), None)

    def phase_of(self, step_id: str) -> Phase | None:
        """The phase a step belongs to."""
        return next((p for p in self.phases if any(s.id == step_id for s in p.steps)), None)
