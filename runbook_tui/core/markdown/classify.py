"""What an unmarked block of a bare how-to is: a command, a file, output … with the rule and how sure it is.

FORMAT.md, "Reading bare Markdown", rule 6: the first match wins, and below 0.75 nothing can be run as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core.markdown import shell
from runbook_tui.core.markdown.shell import Shape
from runbook_tui.core.markdown.values import word_set
from runbook_tui.core.model import Block, BlockKind

if TYPE_CHECKING:
    from runbook_tui.core.markdown.fences import Fence

SURE = 0.75
"""Below it a block is shown but cannot be run until the operator has read it (FORMAT.md)."""

SHELL_TAGS = word_set("sh bash shell zsh ksh ash dash console shell-session shellsession terminal session")
_CONSOLE_TAGS = word_set("console shell-session shellsession terminal session")
_SQL_TAGS = word_set("sql mysql psql plsql postgres postgresql pgsql")
_TEXT_TAGS = frozenset({"text", "txt", "plain", "plaintext", "none", "nohighlight"})
_MAY_HAVE_PROMPTS = SHELL_TAGS | _TEXT_TAGS | {""}

_OUTPUT_CUE = re.compile(
    r"(?:\b(?:outputs?|results?|returns?|prints?|responds?|you get|example response|similar to)"
    r"|\blooks? (?:something )?like|\b(?:should|will|would|can|you'll) (?:then )?see)\b[^.]{0,40}[:.]?\s*$",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\[(secondary_label|label)\s+([^\]]+)\]\s*$")
_PROMPT = re.compile(
    r"\s*(?:\[?[\w.-]+@[\w.-]+[^$#%\n]{0,60}\]?[$#%]|\[[\w.@ ~/-]+\][$#%]|~?[\w./-]*/[\w./-]*[$#]|~[$#%]|[$%])\s+(?=\S)"
)
_CONTINUED = re.compile(r"\s*>\s+")
_REPL = re.compile(
    r"\s*(?:mysql|mariadb[^>]*|sqlite|ftp|telnet|redis[^>]*|irb[^>]*|\w+=[#>]|\w+-[#>]|>>)\s?[>#]?>\s|\s*>>> "
)
_SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|GRANT|FLUSH|USE|SHOW)\b[^a-z]*.*[;]", re.DOTALL)
_DNS = re.compile(
    r"\S+\s+(?:\d+\w?\s+)?(?:IN\s+)?(?:A|AAAA|MX|TXT|CNAME|NS|SRV|PTR|CAA|TLSA)\s+\S.*|\S+\s+IN\s+TXT\s*\(?.*",
)
_PATH_COMMENT = re.compile(r"\s*(?:#|//|;|--|<!--)\s*((?:~|\$HOME)?/[\w./+@-]+[\w])\s*:?(?:-->)?\s*$")
_SHOWS_FILE = re.compile(r"\s*#\s+(?:cat|less|more|head|tail)\s+\S+\s*$")
_PATH_SPAN = re.compile(r"`((?:~|\$HOME)?/[\w./+@-]*\w)`")
_FILE_CUE = re.compile(
    r"\b(?:add|put|edit|create|insert|append|file|contents?|change|modify|set|replace|config\w*)\b", re.IGNORECASE
)
_ESCAPES = re.compile(r"\\[_*\[\]<>#]|&(?:amp|lt|gt|quot);")


@dataclass(frozen=True, slots=True)
class Decision:
    """How a block was understood. `text` is what would be run or written."""

    kind: BlockKind
    confidence: float
    why: str
    text: str = ""
    path: str = ""

    def block(self, fence: Fence) -> Block:
        """Give the block of the model."""
        runs = self.kind in {BlockKind.COMMAND, BlockKind.MIXED, BlockKind.INTERACTIVE}
        return Block(
            line=fence.line, kind=self.kind, text=fence.text, language=fence.language, path=self.path,
            commands=shell.logical_lines(self.text) if runs else (), confidence=self.confidence, why=self.why,
        )  # fmt: skip

    @property
    def runnable(self) -> bool:
        """Whether something can be done with it: a command, a dialogue, or a file whose place is known."""
        if self.kind is BlockKind.FILE:
            return bool(self.path)
        return self.kind in {BlockKind.COMMAND, BlockKind.MIXED, BlockKind.INTERACTIVE}


def classify(fence: Fence, before: str = "") -> Decision:
    """Decide what an unmarked block is. `before` is the prose right before it."""
    text = fence.text
    if fence.set_aside:
        return Decision(BlockKind.EXAMPLE, 0.5, fence.set_aside, text)
    if not text.strip():
        return Decision(BlockKind.EXAMPLE, 0.9, "it is empty", text)
    decision = (
        _by_label(fence, before)
        or _by_prompt(fence)
        or _by_language(fence)
        or _by_content(fence, before)
        or _by_reading(fence, before)
    )
    return _doubt(decision, fence)


def _doubt(decision: Decision, fence: Fence) -> Decision:
    """Lower the confidence of what may have been garbled on its way into the file."""
    why = ""
    if not fence.closed:
        why = "the fence is never closed"
    elif decision.kind in {BlockKind.COMMAND, BlockKind.MIXED} and _ESCAPES.search(decision.text):
        why = "it contains Markdown or HTML escapes"
    elif re.search(r"^\s*(?:\[?\.{3}\]?|\. \. \.|…)\s*$", fence.text, re.MULTILINE):
        why = "parts are left out"
    if not why or decision.confidence < SURE:
        return decision
    return Decision(decision.kind, 0.6, why, decision.text, decision.path)


def _by_label(fence: Fence, before: str) -> Decision | None:
    text = fence.text
    if fence.path:
        return Decision(BlockKind.FILE, 0.97, "a path stands in the opening line", text, fence.path)
    if fence.label and re.search(r"\boutput\b|\bresult\b", fence.label, re.IGNORECASE):
        return Decision(BlockKind.OUTPUT, 0.95, f"its title is {fence.label!r}", text)
    first, _, rest = text.lstrip("\n").partition("\n")
    label = _LABEL.match(first.strip())
    if label is not None and "output" in label.group(2).lower():
        return Decision(BlockKind.OUTPUT, 0.95, "it is labelled as output", text)
    if label is not None and re.fullmatch(r"[~/]\S+", label.group(2).strip()):
        return Decision(BlockKind.FILE, 0.9, "it is labelled with a path", rest, label.group(2).strip())
    if first.strip().rstrip(":").lower() in {"output", "expected output", "sample output"}:
        return Decision(BlockKind.OUTPUT, 0.9, "its first line says so", text)
    if _OUTPUT_CUE.search(before[-200:]) and not _PROMPT.match(first):
        return Decision(BlockKind.OUTPUT, 0.85, "the text before it speaks of output", text)
    return None


def _by_prompt(fence: Fence) -> Decision | None:
    lines = fence.text.rstrip("\n").split("\n")
    if fence.language not in _MAY_HAVE_PROMPTS:
        return None
    if not any(_PROMPT.match(line[:300]) for line in lines):
        return _by_root_prompt(fence, lines)
    commands, others, leading = _prompted(lines)
    text = "\n".join(commands) + "\n"
    logical = shell.logical_lines(text)
    if any(shell.is_interactive(line.split("\n")[0]) for line in logical):
        return Decision(BlockKind.INTERACTIVE, 0.85, "it starts an interactive program", text)
    shapes = [shell.shape(line) for line in logical]
    if leading or any(s in {Shape.SENTENCE, Shape.SETTING} for s in shapes) or not logical:
        return Decision(BlockKind.MIXED, 0.6, "it mixes prompts with other text", text)
    if others:
        return Decision(BlockKind.MIXED, 0.85, "commands after prompts, with their output", text)
    sure = all(s in {Shape.COMMAND, Shape.ASSIGNMENT} for s in shapes)
    return Decision(BlockKind.COMMAND, 0.93 if sure else 0.8, "every line has a prompt", text)


def _prompted(lines: list[str]) -> tuple[list[str], bool, bool]:
    """Give the commands after prompts, whether other lines stand between them, and whether one stands first."""
    commands: list[str] = []
    others = leading = False
    until = ""
    goes_on = False
    for line in lines:
        prompt = _PROMPT.match(line[:300])
        if until:
            commands.append(line)
            until = "" if line.strip() == until else until
            continue
        if prompt is not None or goes_on:
            command = line[prompt.end() :] if prompt is not None else _CONTINUED.sub("", line, count=1)
            commands.append(command)
            heredoc = re.search(r"(?<!<)<<-?\s*['\"]?([A-Za-z_]\w*)", command)
            until = heredoc.group(1) if heredoc else ""
            goes_on = command.endswith("\\")
        elif line.strip() and not line.lstrip().startswith("#"):
            others = True
            leading = leading or not commands
    return commands, others, leading


def _by_root_prompt(fence: Fence, lines: list[str]) -> Decision | None:
    filled = [line for line in lines if line.strip()]
    if not all(re.match(r"\s*#\s+\S", line) for line in filled):
        return None
    bare = [re.sub(r"^\s*#\s+", "", line) for line in filled]
    if fence.language in _CONSOLE_TAGS and all(shell.shape(line) is Shape.COMMAND for line in bare):
        return Decision(
            BlockKind.COMMAND, 0.7, "every line begins with #, which may be root's prompt", "\n".join(bare) + "\n"
        )
    return Decision(BlockKind.EXAMPLE, 0.8, "every line is a comment", fence.text)


def _by_language(fence: Fence) -> Decision | None:
    text = fence.text
    if fence.language in _SQL_TAGS or _REPL.match(text) or _SQL.match(text):
        return Decision(BlockKind.INTERACTIVE, 0.8, "it is input of another program", text)
    filled = [line.strip() for line in text.split("\n") if line.strip() and not line.lstrip().startswith((";", "#"))]
    if filled and all(_DNS.fullmatch(line[:500]) for line in filled):
        return Decision(BlockKind.DNS, 0.85, "it holds DNS records", text)
    return None


def _by_content(fence: Fence, before: str) -> Decision | None:
    text = fence.text
    first, _, rest = text.lstrip("\n").partition("\n")
    path = shell.edited_file(first)
    if path and rest.strip():
        return Decision(BlockKind.FILE, 0.7, "an editor and what is typed into it", rest, path)
    named = _PATH_COMMENT.match(first[:300])
    if named is not None and rest.strip():
        return Decision(BlockKind.FILE, 0.7, "its first line names a file", text, named.group(1))
    if first.startswith("#!"):
        return Decision(BlockKind.FILE, 0.8, "it begins with #!, so it is a script's content", text)
    if _SHOWS_FILE.match(first[:300]) and rest.strip():
        return Decision(BlockKind.OUTPUT, 0.7, "it shows a file's content", text)
    logical = shell.logical_lines(text)
    shapes = [shell.shape(line) for line in logical]
    if not logical:
        return Decision(BlockKind.EXAMPLE, 0.8, "it holds nothing but comments", text)
    if Shape.SETTING in shapes:
        paths = set(_PATH_SPAN.findall(before[-600:])) if _FILE_CUE.search(before[-600:]) else set()
        path = paths.pop() if len(paths) == 1 else ""
        return Decision(BlockKind.FILE, 0.6, "it reads as settings, not as commands", text, path)
    if fence.language in _MAY_HAVE_PROMPTS and Shape.INTERACTIVE in shapes:
        return Decision(BlockKind.INTERACTIVE, 0.85, "it starts an interactive program", text)
    return None


def _by_reading(fence: Fence, before: str) -> Decision:
    text = fence.text
    logical = shell.logical_lines(text)
    shapes = [shell.shape(line) for line in logical]
    sentences = shapes.count(Shape.SENTENCE)
    if fence.language in SHELL_TAGS:
        if sentences:
            kind = BlockKind.EXAMPLE if sentences * 2 >= len(shapes) else BlockKind.COMMAND
            return Decision(kind, 0.5, "some of it reads as prose", text)
        if Shape.COMMAND not in shapes and Shape.UNCERTAIN not in shapes:
            return Decision(BlockKind.COMMAND, 0.6, "it only sets variables", text)
        unknown = [line for line, s in zip(logical, shapes, strict=True) if s is Shape.UNCERTAIN]
        if not unknown:
            return Decision(BlockKind.COMMAND, 0.9, f"a {fence.language} fence of commands", text)
        if all(shell.has_option(line) for line in unknown):
            return Decision(BlockKind.COMMAND, 0.78, f"a {fence.language} fence with a program not known here", text)
        return Decision(
            BlockKind.COMMAND, 0.6, f"a {fence.language} fence, but not every line is surely a command", text
        )
    if fence.language not in _MAY_HAVE_PROMPTS:
        return Decision(BlockKind.EXAMPLE, 0.7, f"{fence.language} is no shell", text)
    if not fence.language and all(s is Shape.COMMAND for s in shapes):
        return Decision(BlockKind.COMMAND, 0.8, "every line reads as a command", text)
    if _OUTPUT_CUE.search(before[-200:]):
        return Decision(BlockKind.OUTPUT, 0.7, "the text before it speaks of output", text)
    return Decision(BlockKind.EXAMPLE, 0.5, "nothing says what it is", text)
