"""What holds for every input: the reader neither raises nor hangs, and runs nothing that is not a command."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_tui.core.markdown import compare, lint_text, outline, outline_text, read
from runbook_tui.core.model import ActionKind, BlockKind, Runbook, Severity
from tests.core.markdown_texts import HEAD, LIKE_SEED, SHIPPED

SOURCES = [path.read_bytes() for path in (LIKE_SEED, *SHIPPED)]
PIECES = (
    b"```", b"~~~", b"``` sh {.run host=old}\n", b"``` cf /x {.file mode=set}\n", b"{", b"}", b'"', b"'", b"`", b"<!--",
    b"-->", b"<!-- step: #x .manual -->", b"\n", b"\n\n", b"  ", b"\t", b"- ", b"1. ", b"> ", b"# ", b"---\n",
    b"runbook:\n", b"\x00", b"\xe2\x80\xae", b"\xff", b"\r", b"> [!WARNING]\n", b"<details>", b"<summary>Undo", b"$ ",
    b"<<EOF", b"\\", b" each='a in b'", b" needs=x", b"&a ", b"*a", b"[", b"{#i}", b"\xef\xbb\xbf",
)  # fmt: skip
SHOWN = {BlockKind.FILE, BlockKind.OUTPUT, BlockKind.EXAMPLE, BlockKind.DNS}


def check(data: bytes) -> Runbook:
    """Read, and assert what holds for everything that is read."""
    runbook = read(data, name="fuzz.md")
    json.dumps(outline(runbook))
    outline_text(runbook)
    lint_text(runbook)
    assert set(compare(runbook, runbook).values()) <= {"same"}
    ids = [action.id for action in runbook.actions()]
    if not any(problem.code == "duplicate-id" for problem in runbook.problems):
        assert len(set(ids)) == len(ids)
    lines = runbook.text.split("\n")
    blocks = [block for phase in runbook.phases for block in phase.blocks]
    blocks += [block for phase in runbook.phases for step in phase.steps for block in step.blocks]
    shown = {
        number
        for block in blocks
        if block.kind in SHOWN
        for number in range(block.line + 1, block.line + 1 + block.text.count("\n"))
    }
    for phase in runbook.phases:
        for action in (a for step in phase.steps for a in step.actions if a.kind is ActionKind.COMMAND):
            assert action.line not in shown
            if not runbook.errors:
                assert 1 <= action.line <= len(lines)
    return runbook


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_mutated_and_truncated_documents_are_read(data: st.DataObject) -> None:
    """A document with pieces put in, taken out, or cut off anywhere never makes the reader raise."""
    text = bytearray(data.draw(st.sampled_from(SOURCES)))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(text)))
        match data.draw(st.sampled_from(["insert", "delete", "truncate"])):
            case "insert":
                text[at:at] = data.draw(st.sampled_from(PIECES))
            case "delete":
                del text[at : at + data.draw(st.integers(1, 40))]
            case _:
                text = text[:at] if at > len(text) // 2 else text
    check(bytes(text))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from((*PIECES, b"install x", b"ls -l", b"key = value")), max_size=40), st.booleans())
def test_any_pile_of_pieces_is_read(pieces: list[bytes], annotated: bool) -> None:
    """Markers in any order, under a front matter or without one."""
    check((HEAD.encode() if annotated else b"") + b"".join(pieces))


_LINE = st.text(
    st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs"), exclude_characters="`~"), max_size=30
)


@settings(max_examples=150, deadline=None)
@given(
    body=st.lists(_LINE, min_size=1, max_size=5),
    info=st.sampled_from(["yaml", "sh /etc/x", "ini", "sh {.example}", "sh {.output}", "diff", "sh {.file file=/x}"]),
)
def test_no_line_of_a_file_output_or_example_becomes_a_command(body: list[str], info: str) -> None:
    """Whatever stands in them, blocks that are not commands offer none."""
    text = "\n".join(body)
    runbook = check(f"# P\n\nDo it:\n\n``` {info}\n{text}\n```\n".encode())
    assert [a.text for a in runbook.actions() if a.kind is ActionKind.COMMAND] == []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    """Bytes that are no text, or no Markdown, are problems, never exceptions."""
    check(data)


@pytest.mark.parametrize(
    "text",
    [
        "- Install x\n" * 8000,
        HEAD + "# P\n\n" + "- do <!-- step: .manual -->\n" * 4000,
        "# P\n\n```sh\n" + "echo 'a b\n" * 20000,
        "# P\n\n" + "```sh\nls\n" * 5000,
        "- Install " + "[a](" * 50000,
        "- Install " + "`a `` " * 40000,
        "> " * 50000 + "a",
        HEAD + "# P\n" + "<!-- " * 40000,
        HEAD + "# P\n\n``` sh {.run " + "a=b " * 40000 + "}\nx\n```\n",
        "---\nrunbook: " + "{a: " * 20000 + "\n---\n",
        "# P\n\n```sh\n" + "".join(f"ping h{n}.x.tld\n" for n in range(4000)) + "```\n",
    ],
    ids=["items", "equal steps", "open quote", "lost fences", "links", "code spans", "quotes", "comments", "attributes",
         "yaml", "literals"],
)  # fmt: skip
def test_large_input_takes_no_more_than_its_size_asks_for(text: str) -> None:
    """Twice the text takes about twice as long: nothing in the reader is quadratic."""

    def seconds(part: str) -> float:
        begin = time.process_time()
        read(part.encode())
        return time.process_time() - begin

    half, whole = seconds(text[: len(text) // 2]), seconds(text)
    assert whole < 3.2 * half + 0.5


def test_an_error_keeps_a_mutilated_command_from_running() -> None:
    """A truncated annotated runbook whose last fence lost its end has an error, so it cannot be opened."""
    for source in SOURCES[1:]:
        at = source.index(b"{.run") + 20
        assert any(p.severity is Severity.ERROR for p in read(source[:at]).problems)
