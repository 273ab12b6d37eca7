"""What is wrong in a file: each problem with its line, its column and, where there is one, what was meant."""

from __future__ import annotations

import pytest

from runbook_tui.core.markdown import read
from runbook_tui.core.model import Severity
from tests.core.markdown_texts import HEAD, HEAD_LINES, annotated, bare, codes, fence, problem, step

FENCE_LINE = HEAD_LINES + 5


@pytest.mark.parametrize(
    ("info", "code", "item", "hint"),
    [
        ("sh {.run hots=old}", "unknown-key", "hots", "did you mean host?"),
        ("sh {.run danger host=old}", "unknown-key", "danger", "did you mean .danger?"),
        ("sh {.rum host=old}", "unknown-class", ".rum", "did you mean .run?"),
        ("sh {.run host=odl}", "unknown-host", "host", "did you mean old?"),
        ("sh {.run .file host=old}", "two-kinds", ".file", ""),
        ("sh {.run host=old mode=set}", "misplaced", "mode", ".file"),
        ("sh {.run host=old for=3d}", "misplaced", "for", ".wait"),
        ("sh {.manual}", "misplaced", ".manual", "step: .manual"),
        ("sh {.run host=old timeout=soon}", "bad-value", "timeout", ""),
        ("sh {.run host=old timeout=0s}", "bad-value", "timeout", ""),
        ("sh {.run host=old exit=256}", "bad-value", "exit", ""),
        ("sh {.run host=old exit=ok}", "bad-value", "exit", ""),
        ("sh {.run host=old expect='(}", "unclosed-quote", "'", ""),
        ("sh {.run host=old expect='('}", "bad-value", "expect", ""),
        ("sh {.run host=old expect='[[:space:]]'}", "bad-value", "expect", ""),
        ("sh {.run host=old idempotent=maybe}", "bad-value", "idempotent", ""),
        ("text /x {.file host=old mode=replac}", "bad-value", "mode", ""),
        ("text /x {.file host=old mode=set perm=9}", "bad-value", "perm", ""),
        ("text /x {.file host=old mode=set owner=a:b:c}", "bad-value", "owner", ""),
        ("sh {.run host=old needs=nowhere}", "dangling-needs", "needs", ""),
        ("sh {.run host=old gate=upp}", "dangling-gate", "gate", "did you mean up?"),
        ("sh {.run host=old check=down}", "dangling-check", "check", ""),
        ("sh {.run host=old each='u in user'}", "dangling-each", "each", "did you mean users?"),
        ("sh {.run host=old rebinds=nwe}", "unknown-host", "rebinds", "did you mean new?"),
        ("sh {.verify of=nothing}", "dangling-of", "of", ""),
        ("sh {host=old}", "no-kind", "{", ".run"),
        ("sh {.run host=old} x", "text-after-brace", "x", ""),
        ("sh {.run host=old", "unclosed-brace", "{", ""),
        ("sh{.run host=old}", "no-space", "{", "space"),
    ],
)
def test_an_attribute_error_says_where_and_what(info: str, code: str, item: str, hint: str) -> None:
    """Line and column are those of the item in the file; the hint names what may have been meant."""
    found = problem(annotated(step(fence("true", info))), code)
    assert found.severity is Severity.ERROR
    assert (found.line, found.column) == (FENCE_LINE, 5 + info.rindex(item))
    assert hint in found.hint


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        (step(fence("x"), fence("y", "sh {#a .run host=old}"), comment="#a"), "duplicate-id", 9),
        (step(fence("x")).replace("```\n", "", 1), "unclosed-fence", 5),
        (step(fence("x"), comment=".manual"), "two-kinds", 5),
        (step(fence("x", "text {.file host=old mode=set}")), "no-path", 5),
        (step(fence("x", "text etc/x {.file host=old mode=set}")), "relative-path", 5),
        (step(fence("x", "text /x {.file file=/y host=old mode=set}")), "two-paths", 5),
        (step(fence("", "sh {.run host=old}")), "empty-command", 5),
        (step(fence("# only a comment", "sh {.run host=old}")), "empty-command", 5),
        (step(fence("x"), fence("", "sh {.verify}")), "empty-command", 9),
        (step(fence("x"), fence("(", "text {.output match=regex}")), "bad-value", 9),
        (step(fence("x", "sh {.verify}")), "dangling-of", 5),
        ("# P\n\n- a <!-- step: .wait -->\n", "wait-for", 3),
        ("# P\n\n- a <!-- step: .run -->\n", "misplaced", 3),
        ("# P\n\n- a <!-- step: .manual --> <!-- step: #b -->\n", "two-comments", 3),
        ("# P\n\n- a <!-- Step: .manual -->\n", "unknown-comment", 3),
        ("# P\n\n- a <!-- steps: #x .manual -->\n", "unknown-comment", 3),
        ("# P\n\n- a\n\n<!-- step: .manual -->\n", "stray-comment", 5),
        ("# P\n\ntext <!-- step: .manual -->\n", "stray-comment", 3),
        ("# P\n\ntext\n\n<!-- phase: a -->\n", "stray-comment", 5),
        ("# P <!-- phase: no good -->\n", "bad-value", 1),
        ("# P <!-- phase: a --> <!-- phase: b -->\n", "two-comments", 1),
        (step(fence("x"), comment="#a --> <!-- phase: b"), "phase-on-step", 3),
        ("# P\n\n- a <!-- step: .manual\n\n- b\n", "unclosed-comment", 3),
        ("# P\n\n<!-- no end\n\n- b <!-- step: .manual", "unclosed-comment", 3),
        ("# P\n\n- a <!-- step: #a .manual needs=a -->\n", "needs-cycle", 3),
        ("# P\n\n- a <!-- step: #a .manual needs=b -->\n- b <!-- step: #b .manual needs=a -->\n", "needs-cycle", 3),
        (
            "# Rollback\n\n- a <!-- step: #a .manual -->\n\n# P\n\n- b <!-- step: .manual needs=a -->\n",
            "dangling-needs",
            7,
        ),
    ],
)
def test_a_structural_error_says_where(body: str, code: str, line: int) -> None:
    """Duplicate ids, fences and comments without an end, things in the wrong place: each an error with its line."""
    found = problem(annotated(body), code)
    assert (found.severity, found.line) == (Severity.ERROR, HEAD_LINES + line)


@pytest.mark.parametrize(
    ("front", "code", "line", "column", "words"),
    [
        ("runbook:\n  version: 2", "version", 3, 12, "version 2"),
        ("runbook:\n  hostz: {}", "unknown-key", 3, 3, "hosts"),
        ("runbook:\n  hosts: {local: {ssh: a}}", "local-host", 3, 11, "local"),
        ("runbook:\n  hosts: {a: {shs: x}}", "unknown-key", 3, 15, "ssh"),
        ("runbook:\n  hosts: {a: {ssh: -oProxyCommand=x}}", "bad-value", 3, 20, "-oProxyCommand"),
        ("runbook:\n  hosts: {a: {ssh: a b}}", "bad-value", 3, 20, "a b"),
        ("runbook:\n  hosts: {a: {ssh: r\u043e\u043et@h}}", "look-alike", 3, 20, "alike"),
        ("runbook:\n  hosts: {a: {}, a: {}}", "equal-keys", 3, 18, "a"),
        ("runbook:\n  literals:\n    x: {host: nowhere}", "unknown-host", 4, 15, "nowhere"),
        ("runbook:\n  literals:\n    x: {}", "literal-source", 4, 5, "source"),
        ("runbook:\n  literals:\n    x: {var: a, secret: b}", "literal-source", 4, 5, "two"),
        ("runbook:\n  literals:\n    x: {var: a, match: '('}", "bad-value", 4, 24, "match"),
        ("runbook:\n  literals:\n    x: {var: a, default: 'a; rm'}", "bad-value", 4, 26, "default"),
        ("runbook:\n  literals:\n    x: {secret: a, default: b}", "secret-default", 4, 29, "secret"),
        ("runbook:\n  checks:\n    c: {type: ssg, host: local}", "check-type", 4, 5, "ssh"),
        ("runbook:\n  checks:\n    c: {host: local}", "check-type", 4, 5, "type"),
        ("runbook:\n  checks:\n    c: {type: command, host: local}", "check-key", 4, 5, "run"),
        ("runbook:\n  checks:\n    c: {type: ssh, host: nwe}", "unknown-host", 4, 26, "nwe"),
        ("runbook:\n  checks:\n    c: {type: ssh, host: local, every: often}", "bad-value", 4, 40, "every"),
        ("runbook:\n  checks:\n    c: {type: tcp, host: local, port: x}", "bad-value", 4, 39, "port"),
        ("runbook:\n  checks:\n    c: {type: queue, host: local, phases: {down: 3}}", "dangling-phase", 4, 1, "down"),
        ("runbook:\n  checks:\n    c: {type: mx, name: a, changed-by: '#x'}", "dangling-changed-by", 4, 1, "#x"),
        ("runbook:\n  hosts: [", "yaml", 3, 11, "YAML"),
        ("runbook:\n  a: &x 1\n  b: *x", "yaml", 4, 6, "aliases"),
        ("runbook:\n  hosts: {a: {name: !!python/name:os.system x}}", "yaml", 3, 21, "python/name"),
        ("runbook:\n  hosts: !x {a: {}}", "yaml", 3, 10, "!x"),
        ('runbook:\n  hosts: {a: {name: "x\\u200by"}}', "hidden-character", 3, 21, "U+200B"),
        ('runbook:\n  checks: {c: {type: ssh, host: local, label: "\\e]0;x"}}', "hidden-character", 3, 47, "escape"),
        ("runbook:\n  hosts: {a: {ssh: \uff4fld.example.org}}", "look-alike", 3, 20, "alike"),
        ("runbook:\n  hosts: {a: {name: \u043eld.example.org}}", "look-alike", 3, 21, "alike"),
        ("runbook:\n  checks: {c: {type: tcp, host: \u043eld.example.org, port: 25}}", "look-alike", 3, 33, "alike"),
        ("runbook:\n  literals: {x: {var: a, match: '.*', default: '$(x)'}}", "bad-value", 3, 48, "shell syntax"),
        ("runbook: 7", "front-matter", 2, 10, "name: value"),
        ('runbook:\n  hosts: {a: {ssh: "x\u202ey"}}', "hidden-character", 3, 22, "U+202E"),
    ],
)
def test_the_front_matter_is_checked(front: str, code: str, line: int, column: int, words: str) -> None:
    """An error in the front matter points at the node in the file and says what was meant."""
    found = problem(read(f"---\n{front}\n---\n# T\n".encode()), code)
    assert (found.severity, found.line, found.column) == (Severity.ERROR, line, column)
    assert words in found.message + found.hint


CHECK_SLIPS = [
    ("queue, host: local", "max: many", "0"),
    ("queue, host: local", "max: -1", "0"),
    ("queue, host: local", "max: [0]", "single value"),
    ("disk, host: local, path: /", "free: much", "20%"),
    ("disk, host: local, path: /", "free: 120%", "20%"),
    ("disk, host: local, path: /", "need: 12X", "12G"),
    ("disk, host: local", "path: home", "/"),
    ("http", "url: webmail.domain.tld", "https://"),
    ("http, url: 'http://a/'", "status: fine", "200"),
    ("http, url: 'http://a/'", "expect: '('", "regular expression"),
    ("smtp, host: local", "starttls: no", "none"),
    ("smtp, host: local", "starttls: requierd", "did you mean required?"),
    ("smtp, host: local", "accept: [plop]", "plop@domain.tld"),
    ("smtp, host: local", "refuse: [a@b, 'c d@e']", "plop@domain.tld"),
    ("tls, host: local, port: 25", "starttls: pop3", "imap"),
    ("tls, host: local, port: 25", "days: soon", "14"),
    ("service, host: local, service: x", "expect: yes", "up"),
    ("service, host: local, service: x", "boot: sometimes", "enabled"),
    ("dns, name: a", "record: MXX", "TXT"),
    ("mx, name: a", "at: [authoritative, nine.nine]", "9.9.9.9"),
    ("mx, name: a", "at: ['9.9.9.9:99999']", "9.9.9.9"),
    ("mx, name: a", "at: ['host:nwe']", "nwe"),
    ("mx, name: a", "ttl-was: long", "60s"),
    ("command, host: local, run: x", "exit: 0 24", "255"),
    ("command, host: local", "run: ''", "missing"),
    ("outage, name: a", "fail: never", "60s"),
    ("ssh, host: local", "every: 10ms", "1 s"),
]


@pytest.mark.parametrize(("kind", "slip", "words"), CHECK_SLIPS, ids=[slip for _, slip, _ in CHECK_SLIPS])
def test_a_check_with_a_wrong_value_is_an_error(kind: str, slip: str, words: str) -> None:
    """It points at the value, in its column, and says what can stand there."""
    head = f"    c: {{type: {kind}, "
    front = f"runbook:\n  checks:\n{head}{slip}}}"
    found = problem(read(f"---\n{front}\n---\n# T\n".encode()), "bad-value")
    column = len(head) + slip.index(": ") + 3
    assert (found.severity, found.line, found.column) == (Severity.ERROR, 4, column)
    assert words in found.message + found.hint


PHASE_SLIPS = [
    ("imap, host: local", "shut", "refused"),
    ("imap, host: local", "yes", "up"),
    ("smtp, host: local", "later on", "later"),
    ("tls, host: local, port: 993", "503", "refused"),
    ("tcp, host: local, port: 25", "'('", "regular expression"),
    ("http, url: 'http://a/'", "shut", "200"),
    ("queue, host: local", "hold", "held"),
    ("service, host: local, service: x", "stopped", "down"),
    ("service, host: local, service: x", "{boot: never}", "enabled"),
    ("service, host: local, service: x", "{starts: yes}", "boot"),
    ("mx, name: a", "up", "every phase"),
]


@pytest.mark.parametrize(("kind", "value", "words"), PHASE_SLIPS)
def test_a_phase_in_which_a_check_expects_nonsense_is_an_error(kind: str, value: str, words: str) -> None:
    """It points at the word, and says which can stand there."""
    line = f"    c: {{type: {kind}, phases: {{day: {value}}}}}"
    text = f"---\nrunbook:\n  checks:\n{line}\n---\n# T <!-- phase: day -->\n"
    found = problem(read(text.encode()), "bad-value")
    assert (found.severity, found.line, found.column) == (Severity.ERROR, 4, line.index(value, line.index("day:")) + 1)
    assert words in found.message + found.hint


@pytest.mark.parametrize(
    ("check", "column"),
    [
        ("{type: imap, host: local, user: plop}", 34),
        ("{type: imap, host: local, secret: x}", 34),
        ("{type: outage, name: a, warn: 4h, fail: 1h}", 32),
    ],
)
def test_values_of_a_check_that_do_not_fit_together_are_an_error(check: str, column: int) -> None:
    """It points at one of them."""
    found = problem(read(f"---\nrunbook:\n  checks:\n    c: {check}\n---\n# T\n".encode()), "bad-value")
    assert (found.line, found.column) == (4, column)


def test_what_a_literal_stands_for_is_no_slip() -> None:
    """A value with a literal in it is not known before the run, so it is not judged."""
    front = "literals: {SIZE: {var: size}}\n  checks:\n    c: {type: disk, host: local, path: /, need: SIZE}"
    assert read(f"---\nrunbook:\n  {front}\n---\n# T\n".encode()).problems == ()
    number = front.replace("disk", "tls").replace("path: /, need:", "port:")
    assert problem(read(f"---\nrunbook:\n  {number}\n---\n# T\n".encode()), "bad-value").line == 5


def test_a_front_matter_without_an_end_is_an_error() -> None:
    """Else the whole file would be taken for prose and every step would be missing."""
    found = read(b"---\nrunbook:\n  version: 1\n\n# T\n")
    assert (found.annotated, [p.code for p in found.errors]) == (True, ["front-matter"])


def test_deep_yaml_is_refused_at_once() -> None:
    """A front matter that nests without end is an error, not a stack overflow."""
    for depth in (40, 50_000):
        found = read(b"---\nrunbook: " + b"[" * depth + b"]" * depth + b"\n---\n# T\n")
        assert ["nested deeper" in p.message for p in found.errors] == [True]


@pytest.mark.parametrize(
    ("data", "code", "severity", "line", "column"),
    [
        (b"", "empty", Severity.ERROR, 1, 1),
        (b"\xef\xbb\xbf \n\n", "empty", Severity.ERROR, 1, 1),
        (b"# T\n\nna\xefve\n", "not-utf8", Severity.WARNING, 3, 3),
        (HEAD.encode() + b"# T\n\nna\xefve\n", "not-utf8", Severity.ERROR, HEAD_LINES + 3, 3),
        (b"\xff\xfe#\x00 \x00T", "not-utf8", Severity.ERROR, 1, 1),
        (b"x" * 2_000_001, "too-long", Severity.ERROR, 1, 1),
    ],
)
def test_bytes_that_are_no_text(data: bytes, code: str, severity: Severity, line: int, column: int) -> None:
    """Empty, not UTF-8, broken UTF-16, far too long: a clear sentence each, with the place."""
    found = problem(read(data), code)
    assert (found.severity, found.line, found.column) == (severity, line, column)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_encodings_are_read(encoding: str) -> None:
    """With or without a byte order mark the text is the same."""
    text = "# Größe\n\n- Install ünd test\n"
    found = read(text.encode(encoding))
    assert (found.text, found.problems, found.title) == (text, (), "Größe")


@pytest.mark.parametrize(
    ("hidden", "name"),
    [
        ("\u202e", "U+202E"), ("\u2066", "U+2066"), ("\u200b", "U+200B"), ("\x00", "NUL"), ("\x1b", "escape"),
        ("\x9b", "U+009B"), ("\r", "carriage return"), ("\x7f", "DEL"), ("\u2028", "U+2028"), ("\ufeff", "U+FEFF"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("info", ["sh {.run host=old}", "text /x {.file host=old mode=create}"])
def test_hidden_characters_are_errors(info: str, hidden: str, name: str) -> None:
    """What a terminal hides or obeys may not stand in a command or file (PROMISES.md 3.6)."""
    found = problem(annotated(step(fence(f"rm x{hidden}y", info))), "hidden-character")
    assert (found.line, found.column, found.severity) == (FENCE_LINE + 1, 5, Severity.ERROR)
    assert name in found.message


def test_hidden_characters_in_attributes_and_proofs_are_errors() -> None:
    """The opening line and what proves or undoes are commands too."""
    body = step(
        fence("x", "sh {.run host=old cwd=/a\u202eb}"), fence("y\u202e", "sh {.verify}"), fence("z\u202e", "sh {.undo}")
    )
    assert codes(annotated(body)).count("hidden-character") == 3


def test_look_alike_letters_in_a_command_are_errors() -> None:
    """A word of Latin and Cyrillic letters is not the word it looks like; umlauts are fine."""
    found = problem(annotated(step(fence("echo grüße && rm \u043eld.example.org"))), "look-alike")
    assert (found.line, found.column) == (FENCE_LINE + 1, 18)


def test_prose_may_hold_any_character() -> None:
    """Right-to-left text and emoji are fine where nothing is run."""
    assert (
        annotated(
            "# P\n\n\u05e9\u05dc\u05d5\u05dd \u200f and \U0001f468\u200d\U0001f469\n\n" + step(fence("x"))
        ).problems
        == ()
    )


def test_a_bare_post_loses_zero_width_characters_with_a_warning() -> None:
    """They come with copied web pages; the reader is told where they were (FORMAT.md, rule 1)."""
    found = bare("# P\n\n- Install\u200b it\n\n  ```sh\n  apt\u200b update\n  ```\n")
    assert [(p.code, p.severity, p.line, p.column) for p in found.problems] == [
        ("zero-width", Severity.WARNING, 3, 10), ("zero-width", Severity.WARNING, 6, 6),
    ]  # fmt: skip
    assert next(found.actions()).text == "apt update\n"


def test_a_bare_post_with_a_trojan_command_is_not_opened() -> None:
    """Bidi controls in what would be run are an error in a bare post too."""
    assert "hidden-character" in [p.code for p in bare("# P\n\nRun:\n\n```sh\nls \u202e\n```\n").errors]


def test_a_blog_s_own_attributes_are_none_of_ours() -> None:
    """Groups for another renderer mean nothing in a bare file and everything in an annotated one."""
    body = "# P\n\nInstall it:\n\n```sh {linenos=table, hl_lines=[1]}\nls\n```\n"
    assert bare(body).problems == ()
    assert annotated(body).errors != ()


def test_problems_are_bounded_and_in_order() -> None:
    """Thousands of errors are cut to what anyone could read, sorted by line."""
    found = annotated("# P\n\n" + "- a <!-- step: .manual foo=1 -->\n" * 3000).problems
    assert len(found) == 500
    assert [p.line for p in found] == sorted(p.line for p in found)


@pytest.mark.parametrize(
    ("info", "column"),
    [("text {.file host=old mode=create file=/etc/../root/x}", 38), ("text /a/.. {.file host=old mode=create}", 5)],
)
def test_a_file_s_path_does_not_climb(info: str, column: int) -> None:
    """A path with `..` leads to another place than it seems to."""
    found = problem(annotated(step(fence("x", info))), "climbing-path")
    assert (found.line, found.column, found.severity) == (FENCE_LINE, column, Severity.ERROR)


def test_prose_of_the_front_matter_may_mix_alphabets() -> None:
    """What is only read by people is not judged."""
    text = "---\nrunbook:\n  checks: {c: {type: ssh, host: local, label: \u03a9mega}}\n---\n# T\n"
    assert "look-alike" not in codes(read(text.encode()))
