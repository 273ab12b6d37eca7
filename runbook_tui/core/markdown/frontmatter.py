"""The front matter: where it ends, and what its `runbook:` key declares (FORMAT.md, Spelling 3 and 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import yaml

from runbook_tui.core.applies import system_word
from runbook_tui.core.markdown import checkspecs, suspicious, values
from runbook_tui.core.markdown.attributes import NAME
from runbook_tui.core.markdown.vocabulary import did_you_mean
from runbook_tui.core.markdown.yamlnodes import Notes, compose, fields, mapping, plain, scalars, text_of, texts_of
from runbook_tui.core.model import (
    LOCAL,
    CheckSpec,
    Host,
    HostName,
    ListSpec,
    Literal,
    LiteralSource,
    Problem,
    Severity,
)
from runbook_tui.core.settle import value_problem

if TYPE_CHECKING:
    from collections.abc import Collection

KEYS = ("version", "source", "hosts", "literals", "lists", "checks")
VERSION = "1"
MOST_LITERALS = 500
_RUNBOOK_KEY = re.compile(r"^runbook[ \t]*:", re.MULTILINE)
_TITLE = re.compile(r"^title\s*[:=]\s*(.*?)\s*$", re.MULTILINE)
_NIKOLA_TITLE = re.compile(r"^\.\.\s+title:\s*(.*?)\s*$", re.MULTILINE)
_SSH = re.compile(r"(?:ssh://)?(?:[\w.][\w.+-]*@)?(?:[\w][\w.-]*|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\])(?::\d{1,5})?")
_DNS_NAME = re.compile(r"[\w][\w.-]*|[0-9A-Fa-f:.]+")
_PROSE = frozenset({"ask", "label", "source"})
_KINDS = ("domain", "host", "user", "secret", "path", "address", "service")


@dataclass(slots=True)
class Front:
    """What stands before the text. `end` is the first line after it, from 0."""

    end: int = 0
    title: str = ""
    annotated: bool = False
    hosts: dict[HostName, Host] = field(default_factory=dict)
    literals: tuple[Literal, ...] = ()
    lists: dict[str, ListSpec] = field(default_factory=dict)
    checks: tuple[CheckSpec, ...] = ()
    check_lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_front(lines: list[str], given_hosts: Collection[str]) -> Front:
    """Read the front matter of a file given as lines; `given_hosts` are the names of `--host`."""
    start = next((number for number, line in enumerate(lines[:20]) if line.strip()), 0)
    first = lines[start].rstrip() if lines else ""
    if first == "---":
        return _yaml_front(lines, start, given_hosts)
    if first == "+++":
        end = _closing(lines, start, ("+++",))
        if end:
            title = _TITLE.search("\n".join(lines[start:end]))
            return Front(end + 1, title.group(1).strip("\"'") if title else "")
    if first == "<!--" and _NIKOLA_TITLE.search("\n".join(lines[start : start + 20])):
        title = _NIKOLA_TITLE.search("\n".join(lines[start : start + 20]))
        return Front(0, title.group(1) if title else "")
    return Front()


def _closing(lines: list[str], start: int, marks: tuple[str, ...]) -> int:
    return next((n for n in range(start + 1, len(lines)) if lines[n].rstrip() in marks), 0)


def _yaml_front(lines: list[str], start: int, given_hosts: Collection[str]) -> Front:
    end = _closing(lines, start, ("---", "..."))
    if not end:
        if _RUNBOOK_KEY.search("\n".join(lines[start : start + 200])):
            message = "the front matter is never closed"
            place = Problem(start + 1, 1, Severity.ERROR, "front-matter", message, "add a line --- after it")
            return Front(len(lines), annotated=True, problems=[place])
        return Front()
    text = "\n".join(lines[start + 1 : end])
    front = Front(end + 1, annotated=_RUNBOOK_KEY.search(text) is not None)
    notes = Notes(offset=start + 1)
    root = compose(text, notes)
    if not isinstance(root, yaml.MappingNode):
        found = _TITLE.search(text)
        front.title = found.group(1).strip("\"'") if found else ""
        if not front.annotated:
            notes.problems = [replace(p, severity=Severity.WARNING) for p in notes.problems]
        front.problems = notes.problems
        return front
    if front.annotated:
        front.problems += _hidden(lines, start + 1, end)
    for name, _, node in mapping(root, "the front matter", notes if front.annotated else Notes()):
        if name == "title" and isinstance(node, yaml.ScalarNode):
            front.title = text_of(node, "title", notes)
        elif name == "runbook":
            front.annotated = True
            _declarations(node, front, given_hosts, notes)
    front.problems += notes.problems
    return front


def _hidden(lines: list[str], start: int, end: int) -> list[Problem]:
    found = []
    for number in range(start, end):
        for column, name in suspicious.hidden(lines[number]):
            message = f"{name} is hidden in the front matter"
            found.append(Problem(number + 1, column, Severity.ERROR, "hidden-character", message, "remove it"))
    return found


def _look_alikes(node: yaml.Node, notes: Notes) -> None:
    """Find names and values that look like others; what is only read by people may be in any alphabet."""
    for scalar in scalars(node, _PROSE):
        for _, word in suspicious.look_alikes(scalar.value):
            message = f"{word} mixes letters of two alphabets that look alike"
            notes.error(scalar, "look-alike", message, "type the word again")


def _declarations(node: yaml.Node, front: Front, given_hosts: Collection[str], notes: Notes) -> None:
    _look_alikes(node, notes)
    given = fields(node, "runbook", KEYS, notes)
    if "version" in given and text_of(given["version"][1], "version", notes) != VERSION:
        message = f"version {plain(given['version'][1])} of the format is not known"
        notes.error(given["version"][1], "version", message, f"this program reads version {VERSION}")
    if "source" in given:
        fields(given["source"][1], "source", ("file", "sha256"), notes)
    if "hosts" in given:
        front.hosts = _hosts(given["hosts"][1], notes)
    known = {*front.hosts, *given_hosts, LOCAL}
    if "literals" in given:
        front.literals = _literals(given["literals"][1], known, notes)
    if "lists" in given:
        front.lists = _lists(given["lists"][1], front.literals, notes)
    if "checks" in given:
        front.checks = checkspecs.read_checks(given["checks"][1], checkspecs.Known(known, front.literals), notes)
        names = mapping(given["checks"][1], "checks", Notes())
        front.check_lines = {name: notes.line(key) for name, key, _ in names}


def _hosts(node: yaml.Node, notes: Notes) -> dict[HostName, Host]:
    found: dict[HostName, Host] = {}
    for name, key, body in mapping(node, "hosts", notes):
        if name == LOCAL:
            message = "local is always the operator's own machine and cannot be declared"
            notes.error(key, "local-host", message, "choose another name")
            continue
        if not re.fullmatch(NAME, name):
            notes.error(key, "bad-value", f"{name!r} cannot be a host's name", "letters, digits, _ and -")
            continue
        given = fields(body, f"the host {name}", ("ssh", "name", "os", "also"), notes)
        words = {k: text_of(v, k, notes) for k, (_, v) in given.items() if k != "also"}
        also = texts_of(given["also"][1], "also", notes) if "also" in given else ()
        for part, pattern in (("ssh", _SSH), ("name", _DNS_NAME)):
            if part in words and not pattern.fullmatch(words[part]):
                hint = "user@name[:port] or an alias of the ssh configuration" if part == "ssh" else ""
                notes.error(given[part][1], "bad-value", f"{part}: {words[part]!r} cannot be reached", hint)
        host = HostName(name)
        system = system_word(words.get("os", ""))
        if "os" in words and not system:
            message = f"os: {words['os']!r} is no one word such as freebsd or debian"
            notes.error(given["os"][1], "bad-value", message, "left out, the host itself is asked")
        found[host] = Host(host, words.get("ssh", ""), words.get("name", ""), system, also)
    return found


def _literals(node: yaml.Node, hosts: Collection[str], notes: Notes) -> tuple[Literal, ...]:
    found: list[Literal] = []
    for text, key, body in mapping(node, "literals", notes):
        if len(found) >= MOST_LITERALS:
            notes.error(key, "too-many-literals", f"more than {MOST_LITERALS} literals")
            break
        if not text.strip():
            notes.error(key, "bad-value", "a literal has no text")
            continue
        literal = _literal(text, key, body, hosts, notes)
        if literal is not None:
            found.append(literal)
    return tuple(found)


def _literal(text: str, key: yaml.Node, body: yaml.Node, hosts: Collection[str], notes: Notes) -> Literal | None:
    what = f"the literal {text}"
    names = ("host", "var", "secret", "ask", "match", "default", "word")
    given = fields(body, what, names, notes)
    words = {k: text_of(v, k, notes) for k, (_, v) in given.items()}
    sources = [s for s in ("host", "var", "secret") if s in words]
    if len(sources) != 1:
        hint = "give one of host:, var: or secret:"
        notes.error(key, "literal-source", f"{what} has {'no source' if not sources else 'two sources'}", hint)
        return None
    source = sources[0]
    if not words[source].strip():
        notes.error(given[source][1], "bad-value", f"{source}: of {what} is empty")
    if source == "host" and words["host"] not in hosts:
        hint = did_you_mean(words["host"], hosts) or "declare it under hosts:"
        notes.error(given["host"][1], "unknown-host", f"the host {words['host']} is not declared", hint)
    if why := values.pattern_problem(words.get("match", "")):
        notes.error(given["match"][1], "bad-value", f"match of {what} is no regular expression: {why}")
        words["match"] = ""
    kind = source if source != "var" else next((k for k in _KINDS if words["var"] == k), "value")
    word = words.get("word", "").lower() in {"true", "yes", "on"}
    literal = Literal(
        text=text, source=LiteralSource(source), key=words[source], kind=kind, ask=words.get("ask", ""),
        match=words.get("match", ""), default=words.get("default"), word=word,
    )  # fmt: skip
    if literal.default is not None and (why := value_problem(literal, literal.default)):
        notes.error(given["default"][1], "bad-value", f"the default of {what} does not fit: {why}")
    if source == "secret" and "default" in words:
        notes.error(given["default"][1], "secret-default", f"{what} is a secret and has a default", "remove it")
    return literal


def _lists(node: yaml.Node, literals: Collection[Literal], notes: Notes) -> dict[str, ListSpec]:
    found = {}
    for name, key, body in mapping(node, "lists", notes):
        if any(name in {lit.text, lit.key} for lit in literals):
            notes.error(key, "name-taken", f"{name} is both a list and a literal", "choose another name for the list")
        given = fields(body, f"the list {name}", ("ask", "default"), notes)
        ask = text_of(given["ask"][1], "ask", notes) if "ask" in given else ""
        default = texts_of(given["default"][1], "default", notes) if "default" in given else ()
        for item in default:
            if default.count(item) > 1 or "," in item or not item.strip():
                message = f"the list {name} has an item twice, an empty one or one with a comma: {item!r}"
                notes.error(given["default"][1], "bad-value", message)
                break
        found[name] = ListSpec(name, ask, default)
    return found
