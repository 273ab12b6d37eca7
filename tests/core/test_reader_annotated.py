"""Annotated runbooks: what becomes a phase, a step, an action, and what each attribute means."""

from __future__ import annotations

import pytest

from runbook_tui.core.markdown.vocabulary import NOT_BUILT
from runbook_tui.core.model import (
    ActionKind,
    BlockKind,
    FileMode,
    HoldCode,
    Match,
    PhaseRole,
)
from tests.core.markdown_texts import HEAD_LINES, annotated, fence, only, step


def test_a_run_fence_is_a_command_on_its_host() -> None:
    """Text, host, line and language are the fence's; nothing holds it back."""
    action = only(annotated(step(fence("uptime"))))
    assert (action.kind, action.text, action.host, action.language) == (ActionKind.COMMAND, "uptime\n", "old", "sh")
    assert (action.line, action.holds) == (HEAD_LINES + 5, ())


def test_attributes_of_a_command() -> None:
    """Every attribute that is honoured arrives in the model's own terms."""
    info = (
        'sh {#go .run .danger .no-return .no-log host=new exit="0 24" expect="^ok" timeout=30m cwd=/srv eta=40m '
        "idempotent optional=yes}"
    )
    action = only(annotated(step(fence("true", info))))
    assert (action.id, action.step, action.exits, action.expect) == ("go", "go", frozenset({0, 24}), "^ok")
    assert (action.timeout, action.cwd, action.eta) == (1800.0, "/srv", 2400.0)
    assert (action.danger, action.no_return, action.no_log, action.idempotent) == (True,) * 4
    assert action.attributes["optional"] == "yes"
    assert action.holds == ()


def test_attributes_of_a_file() -> None:
    """Path, mode, owner, permissions, backup and validation of a file step."""
    info = 'cf /etc/x.cf {.file host=new mode=set owner=root:wheel perm=0640 backup=no validate="check x"}'
    file = only(annotated(step(fence("a = b", info)))).file
    assert file is not None
    assert (file.path, file.mode, file.owner, file.perm) == ("/etc/x.cf", FileMode.SET, "root:wheel", "0640")
    assert (file.backup, file.validate) == (False, "check x")


def test_a_path_and_a_mode_make_a_file() -> None:
    """With a group of ours, a path in the opening line is enough for a file step; `file=` is another way to say it."""
    first = only(annotated(step(fence("x", "text ~/x {mode=create host=old}"))))
    second = only(annotated(step(fence("x", "text {.file file=~/x mode=create host=old}"))))
    assert first.file == second.file
    assert first.file is not None
    assert first.file.path == "~/x"


def test_a_file_without_a_mode_is_held() -> None:
    """There is no default mode: a fragment must never replace a file."""
    action = only(annotated(step(fence("x", "text /x {.file host=old}"))))
    assert [hold.code for hold in action.holds] == [HoldCode.NO_MODE]


def test_verify_output_and_undo_belong_to_the_action_before() -> None:
    """Without `of=` they hang on the action just before them, with their own attributes."""
    body = step(
        fence("a", "sh {.run host=old}"),
        fence("b", "sh {.run host=old}"),
        fence("proof", "sh {.verify host=new exit=3 expect=x timeout=5s cwd=/tmp retry=3 every=30s}"),
        fence("seen", "text {.output match=exact}"),
        fence("back", "sh {.undo .danger host=new exit=1 timeout=1m}"),
    )
    runbook = annotated(body)
    assert runbook.errors == ()
    first, second = runbook.actions()
    assert (first.verifies, first.outputs, first.undos) == ((), (), ())
    (verify,) = second.verifies
    assert (verify.text, verify.host, verify.exits, verify.expect) == ("proof\n", "new", frozenset({3}), "x")
    assert (verify.timeout, verify.cwd, verify.retry, verify.every) == (5.0, "/tmp", 3, 30.0)
    assert [(o.text, o.match) for o in second.outputs] == [("seen\n", Match.EXACT)]
    (undo,) = second.undos
    assert (undo.text, undo.host, undo.exits) == ("back\n", "new", frozenset({1}))
    assert (undo.timeout, undo.danger) == (60.0, True)


def test_of_names_an_action_elsewhere() -> None:
    """With `of=` a fence belongs to the action of that id, wherever it stands, and makes no step of its place."""
    body = step(fence("a", "sh {#a .run host=old}")) + "\n## Proofs\n\n" + fence("p", "sh {.verify of=a}")
    runbook = annotated(body)
    assert runbook.errors == ()
    assert [(s.title, len(s.actions[0].verifies)) for s in runbook.steps()] == [("One step", 1)]


def test_fences_for_several_systems_bear_the_steps_title() -> None:
    """Where every fence says its `os=` only one of them applies, so the step's own words stay its title."""
    freebsd = fence("a", "sh {.run host=old os=freebsd}")
    runbook = annotated(step(freebsd, fence("b", "sh {.run host=old os=debian}")))
    assert [a.title for a in runbook.actions()] == ["One step", "One step"]
    assert "One step" not in [a.title for a in annotated(step(freebsd, fence("b"))).actions()]


def test_several_fences_are_several_actions() -> None:
    """A step with several fences has as many actions in order; with one, the action bears the step's id."""
    runbook = annotated(step(fence("a"), fence("b", "sh {#second .run host=new}"), fence("c"), comment="#all"))
    (found,) = runbook.steps()
    assert [a.id for a in found.actions] == ["all.1", "second", "all.3"]
    assert [a.step for a in found.actions] == ["all"] * 3
    assert only(annotated(step(fence("a"), comment="#one"))).id == "one"


def test_the_item_comment_gives_defaults() -> None:
    """Attributes of the item comment count for every fence of the step; the fence's own win."""
    body = step(
        fence("a", "sh {.run}"),
        fence("b", "sh {.run host=new timeout=5s}"),
        comment="#s .danger host=old timeout=1m cwd=/srv",
    )
    first, second = annotated(body).actions()
    assert (first.host, first.timeout, first.cwd, first.danger) == ("old", 60.0, "/srv", True)
    assert (second.host, second.timeout, second.cwd, second.danger) == ("new", 5.0, "/srv", True)


def test_items_with_a_comment_or_a_marked_fence_are_steps() -> None:
    """Other items are text of the step they stand in; sub-items are sub-steps and inherit the host."""
    body = """# Plan

- not a step
- first <!-- step: #a .manual host=new -->
  - inner

    ``` sh {.run}
    ls
    ```
  - only text
- second

  ``` sh {.run host=old}
  pwd
  ```
"""
    runbook = annotated(body)
    assert runbook.errors == ()
    assert [(s.number, s.title, s.depth) for s in runbook.steps()] == [
        ("1.1", "first", 0), ("1.1.1", "inner", 1), ("1.2", "second", 0),
    ]  # fmt: skip
    inner = runbook.action("a")
    assert inner is not None
    assert [a.host for a in runbook.actions()] == ["new", "new", "old"]
    first = runbook.step("a")
    assert first is not None
    assert "only text" in first.source
    assert "ls" not in first.source


def test_headings_are_steps_only_with_a_fence_or_a_comment_of_their_own() -> None:
    """A heading that owns a marked fence, or an item comment, is a step; every other heading is a phase."""
    body = "# Plan\n\n## Day <!-- phase: downtime -->\n\n### Look <!-- step: #look .manual -->\n\n### Do\n\n" + fence(
        "x"
    )
    runbook = annotated(body + "\n## Later\n\ntext\n")
    assert runbook.errors == ()
    assert [(p.title, p.role, p.number, p.name) for p in runbook.phases] == [
        ("Plan", PhaseRole.GROUP, "", ""),
        ("Day", PhaseRole.STEPS, "1", "downtime"),
        ("Later", PhaseRole.REFERENCE, "", ""),
    ]
    assert [(s.number, s.title) for s in runbook.steps()] == [("1.1", "Look"), ("1.2", "Do")]


def test_a_heading_below_a_step_is_a_sub_step() -> None:
    """A deeper heading that is a step too comes below it; its lines are not the upper step's."""
    runbook = annotated(step(fence("a")) + "\n### Part\n\n" + fence("b"))
    assert [(s.number, s.depth) for s in runbook.steps()] == [("1.1", 0), ("1.1.1", 1)]
    assert ["Part" in s.source for s in runbook.steps()] == [False, True]


def test_a_fence_right_after_a_list_belongs_to_its_deepest_last_item() -> None:
    """CommonMark closes the list at a fence in column 0; the author meant the item (FORMAT.md, rule 5)."""
    runbook = annotated("# Plan\n\n* one\n* two\n  * deep\n" + fence("ls") + "\ntext\n")
    assert [(s.title, s.actions[0].text) for s in runbook.steps()] == [("deep", "ls\n")]


def test_a_marked_heading_keeps_its_fence_after_a_plain_list() -> None:
    """Under a heading that is marked as a step, a list of notes does not take the fence away."""
    body = "# Plan\n\n## Do <!-- step: #do host=old -->\n\n* be root\n* be awake\n\n" + fence("ls", "sh {.run}")
    assert only(annotated(body)).id == "do"


def test_unmarked_fences_are_shown_never_run() -> None:
    """In an annotated file a fence without a class of ours is no action, whatever its language."""
    runbook = annotated(step(fence("rm -rf /", "sh"), fence("x", "sh /etc/x"), fence("ls")))
    (found,) = runbook.steps()
    assert [a.text for a in found.actions] == ["ls\n"]
    assert [b.kind for b in found.blocks] == [BlockKind.EXAMPLE, BlockKind.EXAMPLE, BlockKind.COMMAND]


@pytest.mark.parametrize("kind", ["example", "dns", "transcript", "output"])
def test_shown_kinds_make_no_action(kind: str) -> None:
    """Blocks of these kinds are shown; a line of them is never an action."""
    runbook = annotated(step(fence("ls", f"sh {{.{kind}}}"), comment=".manual"))
    assert runbook.errors == ()
    assert [a.kind for a in runbook.actions()] == [ActionKind.MANUAL]


def test_manual_and_wait() -> None:
    """Steps without a fence: by hand, or a wait with its seconds; an item comment alone is by hand."""
    body = "# P\n\n- a <!-- step: .manual -->\n- b <!-- step: .wait for=7d -->\n- c <!-- step: #c -->\n"
    runbook = annotated(body)
    assert runbook.errors == ()
    assert [(a.kind, a.wait_for) for a in runbook.actions()] == [
        (ActionKind.MANUAL, None), (ActionKind.WAIT, 604800.0), (ActionKind.MANUAL, None),
    ]  # fmt: skip


def test_an_unknown_host_of_the_author_is_asked_for() -> None:
    """`host=?` and no host at all are held until the operator gives one; `local` needs no declaration."""
    for info in ("sh {.run host=?}", "sh {.run}"):
        assert [h.code for h in only(annotated(step(fence("x", info)))).holds] == [HoldCode.NO_HOST]
    assert only(annotated(step(fence("x", "sh {.run host=local}")))).holds == ()


_EXAMPLES = {
    "gate": "sh {.run host=old gate=up}",
    "parallel": "sh {.run host=old parallel=4}",
    "sudo": "sh {.run host=old sudo}",
    "user": "sh {.run host=old user=root}",
    "secret": 'sh {.run host=old secret="NAME"}',
    "rebinds": "sh {.run host=old rebinds=new}",
    "alt": "sh {.run host=old alt=distro:debian}",
    "when": 'sh {.run host=old when="x"}',
    "dry-run": 'sh {.run host=old dry-run="true"}',
    ".secret": "text /x {.file .secret host=old mode=create}",
    ".two": "sh {.run .two host=old}",
    ".session": "sh {.session host=old}",
    "mode=patch": "diff /x {.file host=old mode=patch}",
}


@pytest.mark.parametrize("item", sorted(NOT_BUILT))
def test_what_is_not_built_holds_its_action(item: str) -> None:
    """An attribute the format names and the program cannot honour holds the action back and says which one it is."""
    action = only(annotated(step(fence("x", _EXAMPLES[item]))))
    assert [(h.code, h.subject) for h in action.holds] == [(HoldCode.UNSUPPORTED, item)]
    assert "not built yet" in action.holds[0].why


def test_a_recheck_is_read_and_never_the_command_itself() -> None:
    """It is the action's own, or its item comment's; one that would run the command again is an error at its place."""
    info = 'sh {.run host=old recheck="test -d /srv"}'
    action = only(annotated(step(fence("mkdir /srv", info))))
    assert (action.recheck, action.holds) == ("test -d /srv", ())
    (problem,) = annotated(step(fence("test -d /srv", info))).errors
    assert (problem.code, problem.line, problem.column) == ("recheck-runs-it", 17, 23)
    (problem,) = annotated("# P\n\n- a <!-- step: .manual recheck=true -->\n").errors
    assert (problem.code, problem.message) == ("misplaced", "recheck does nothing on a .manual")


def test_alerts_are_warnings_of_their_step() -> None:
    """What GitHub draws as a warning or a caution is the step's warning; a plain quotation is not."""
    alert = "> [!WARNING]\n> Mind the gap.\n\n> [!CAUTION]\n> Hot.\n\n> a quotation\n\n"
    (found,) = annotated(step(alert, fence("x"))).steps()
    assert found.warnings == ("Mind the gap.", "Hot.")


def test_needs_and_numbers() -> None:
    """Needs are ids with or without `#`, separated by spaces or commas."""
    body = step(fence("x", 'sh {.run host=old needs="a, #b"}'))
    body += "\n## A <!-- step: #a .manual -->\n\n## B <!-- step: #b .manual -->\n"
    runbook = annotated(body)
    assert runbook.errors == ()
    assert next(runbook.actions()).needs == ("a", "b")


def test_a_crlf_file_runs_as_lf() -> None:
    """Windows line ends never reach a shell, and positions are the same."""
    text = step(fence("echo a\necho b"))
    unix, windows = annotated(text), annotated(text.replace("\n", "\r\n"))
    assert only(windows).text == only(unix).text == "echo a\necho b\n"
    assert only(windows).line == only(unix).line


def test_fences_keep_their_text() -> None:
    """Tildes, longer markers, blank lines and the indentation of an item: the text is what CommonMark says."""
    body = "# P\n\n- do\n\n  ~~~~ sh {.run host=old}\n  if true; then\n\n    echo '```'\n  fi\n  ~~~~\n"
    assert only(annotated(body)).text == "if true; then\n\n  echo '```'\nfi\n"


def test_comments_in_code_are_code() -> None:
    """A comment in back-quotes or in a fence is an example of one, not one."""
    body = "# P\n\n- write `<!-- step: #x .manual -->` like this\n\n" + fence("<!-- step: #y .manual -->", "html")
    runbook = annotated(body)
    assert (list(runbook.steps()), runbook.problems) == ([], ())


def test_a_rollback_section_is_not_walked() -> None:
    """Steps under a heading that speaks of rolling back stay out of the way forward, and lint says so."""
    runbook = annotated(step(fence("a")) + "\n# Rollback\n\n## Back\n\n" + fence("b"))
    assert [a.text for a in runbook.actions()] == ["a\n"]
    assert [p.code for p in runbook.problems] == ["not-forward"]


def test_digests_change_with_what_an_action_does() -> None:
    """Text, host, attributes, proofs and ways back count; what stands around the step does not."""
    base = step(fence("a"), fence("p", "sh {.verify}"), fence("u", "sh {.undo}"), comment="#s")
    same = base.replace("## One step", "Some prose.\n\n## One step")
    changes = [("\na\n", "\nb\n"), ("host=old", "host=new"), ("host=old", "host=old timeout=5s"),
               ("\np\n", "\nq\n"), ("\nu\n", "\nv\n"), ("{.run", "{.run .danger")]  # fmt: skip
    digest = only(annotated(base)).digest
    assert only(annotated(same)).digest == digest
    others = {only(annotated(base.replace(old, new, 1))).digest for old, new in changes}
    assert len(others | {digest}) == len(changes) + 1


def test_derived_ids_stay_when_steps_are_put_in_before() -> None:
    """Ids come from heading path, title and block, not from a place in the file; equal steps are told apart."""
    one, two = step(fence("a")), step(fence("a")).replace("## One", "## Zero\n\n" + fence("z") + "\n## One")
    assert [s.id for s in annotated(one).steps()] == [s.id for s in annotated(two).steps()][1:]
    twice = annotated("# P\n\n" + ("- do it\n\n  " + fence("x").replace("\n", "\n  ") + "\n") * 2)
    ids = [s.id for s in twice.steps()]
    assert len(set(ids)) == 2
    assert ids[1] == ids[0] + "-2"
