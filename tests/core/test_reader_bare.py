"""Bare how-tos: which steps there are, what each block is taken for, and what can never be run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_tui.core.markdown import read
from runbook_tui.core.markdown.classify import SURE
from runbook_tui.core.markdown.shell import logical_lines
from runbook_tui.core.markdown.words import wait_seconds
from runbook_tui.core.model import (
    ActionKind,
    BlockKind,
    FileMode,
    HoldCode,
    LiteralSource,
    PhaseRole,
    Runbook,
    Severity,
)
from tests.core.markdown_texts import LIKE_SEED, bare, fence

DOCS = os.environ.get("MAILRUNBOOK_TEST_DOCS", "")
SEED = Path(DOCS) / "seed-mail-server-migration.md"


def shape(runbook: Runbook) -> list[tuple[str, str]]:
    """Give number and title of every step."""
    return [(step.number, step.title) for step in runbook.steps()]


def test_a_how_to_of_lists_is_read() -> None:
    """Phases are headings, steps are list items with the fences right after them; lists of tools are no steps."""
    runbook = read(LIKE_SEED.read_bytes(), name=LIKE_SEED.name)
    assert (runbook.title, runbook.annotated, runbook.problems) == ("Moving the list server", False, ())
    assert [(p.number, p.title, p.role) for p in runbook.phases] == [
        ("", "Aim", PhaseRole.REFERENCE),
        ("", "Goal", PhaseRole.REFERENCE),
        ("", "Lists", PhaseRole.GROUP),
        ("1", "Fetching the archives of other list servers", PhaseRole.STEPS),
        ("", "Tools used on both machines", PhaseRole.REFERENCE),
        ("2", "Getting ready", PhaseRole.STEPS),
        ("3", "Moving day - with a short silence", PhaseRole.STEPS),
    ]
    assert shape(runbook) == [
        ("1.1", "mirror (cron)"),
        ("2.1", "Create the lists on new server"),
        ("2.2", "Configure mailman on new server as on old one"),
        ("2.2.1", "remove the list domain from the old aliases"),
        ("2.2.2", "set the archive folder"),
        ("2.3", "If lists live under several names"),
        ("2.4", "Update the MX of the list domain"),
        ("2.5", "Install the web archive on new server"),
        ("2.6", "Copy the archives with rsync"),
        ("2.7", "Validates that a moderator can log in"),
        ("2.8", "Migrate the subscriber database"),
        ("2.8.1", "The dump has to be changed, as the owner has another name"),
        (
            "2.9",
            "Wait at least two days until the old MX is forgotten (and look at the log of the old machine meanwhile)",
        ),
        ("2.10", "Update the SPF entry"),
        ("3.1", "Stops mailman on old server"),
        ("3.2", "Stops postfix on old server"),
        ("3.3", "Copy the archives once more, dropping what is gone"),
        ("3.4", "Configure postfix on new server"),
        ("3.4.1", "disable relaying to old server"),
        ("3.4.2", "fix mydestination"),
        ("3.5", "Clean old server"),
    ]


def test_its_actions_are_what_the_blocks_say() -> None:
    """Paths make files, interactive programs are done by hand, waits have seconds; nothing runs without a host."""
    runbook = read(LIKE_SEED.read_bytes())
    by_number = {step.number: step for step in runbook.steps()}
    kinds = {number: [a.kind for a in step.actions] for number, step in by_number.items()}
    assert kinds["1.1"] == [ActionKind.INTERACTIVE, ActionKind.FILE]
    assert kinds["2.3"] == [ActionKind.FILE, ActionKind.FILE, ActionKind.COMMAND]
    assert (kinds["2.6"], kinds["2.7"]) == ([ActionKind.COMMAND], [ActionKind.INTERACTIVE])
    assert kinds["2.8.1"] == [ActionKind.COMMAND]
    assert by_number["2.9"].actions[0].wait_for == 2 * 86400
    assert kinds["3.1"] == [ActionKind.MANUAL]
    assert [a.file.path for a in by_number["2.3"].actions if a.file] == ["/etc/postfix/main.cf", "/etc/postfix/lists"]
    assert by_number["2.3"].actions[2].text == "postmap /etc/postfix/lists\nservice postfix reload\n"
    for action in runbook.actions():
        codes = [hold.code for hold in action.holds]
        match action.kind:
            case ActionKind.COMMAND:
                assert codes == [HoldCode.NO_HOST]
            case ActionKind.FILE:
                assert codes == [HoldCode.NO_HOST, HoldCode.NO_MODE]
            case _:
                assert codes == []


def test_its_placeholders_are_guessed() -> None:
    """Example names and a log-in's name and password are words that stand for values; the longer one is its own."""
    guesses = {lit.text: lit for lit in read(LIKE_SEED.read_bytes()).literals}
    assert {text: lit.kind for text, lit in guesses.items()} == {
        "lists.example.org": "host", "lists.tld": "domain", "box.rented.tld": "host",
        "mod0": "user", "the_SecretWord": "secret",
    } | {"box.cellar.tld": "host"}  # fmt: skip
    assert {lit.source for lit in guesses.values()} == {LiteralSource.GUESS}
    assert len(guesses["box.rented.tld"].lines) == 3


def test_a_steps_source_is_its_own_text() -> None:
    """A step's Markdown holds its bullet, its fences and the text after them, not its sub-steps."""
    by_number = {step.number: step for step in read(LIKE_SEED.read_bytes()).steps()}
    assert by_number["2.2"].source == "* Configure mailman on new server as on old one\n"
    assert by_number["2.2.1"].source == "* remove the list domain from the old aliases\n"
    assert by_number["2.4"].source.endswith("hands it to the old one.\n")
    assert by_number["2.3"].source.count("```") == 6


@pytest.mark.skipif(not DOCS or not SEED.is_file(), reason="MAILRUNBOOK_TEST_DOCS does not name a folder with the seed")
def test_the_seed_is_read() -> None:
    """The how-to this program was made for: 1, 22 and 15 steps under three phases, and its three file fences."""
    runbook = read(SEED.read_bytes(), name=SEED.name)
    phases = [p for p in runbook.phases if p.role is PhaseRole.STEPS]
    assert [len(p.steps) for p in phases] == [1, 22, 15]
    files = [a for a in runbook.actions() if a.kind is ActionKind.FILE]
    assert [a.file.path for a in files if a.file] == [
        "~/bin/getmymailnow", "/etc/postfix/main.cf", "/etc/postfix/transport_maps",
    ]  # fmt: skip
    relayed = next(s for s in runbook.steps() if s.title.startswith("If different domain"))
    assert [a.kind for a in relayed.actions] == [ActionKind.FILE, ActionKind.FILE, ActionKind.COMMAND]
    assert all(a.holds for a in runbook.actions() if a.kind in {ActionKind.COMMAND, ActionKind.FILE})
    wait = next(a for a in runbook.actions() if a.kind is ActionKind.WAIT)
    assert wait.wait_for == 7 * 86400
    assert {"mail.plop.tld", "domain.tld", "the_PassWord"} <= {lit.text for lit in runbook.literals}


def decided(body: str, info: str = "sh", before: str = "Do this:") -> tuple[BlockKind, bool]:
    """Give what the only block of a post is taken for, and whether that is sure."""
    runbook = bare(f"# P\n\n{before}\n\n" + fence(body, info))
    (block,) = [
        *(block for phase in runbook.phases for block in phase.blocks),
        *(block for phase in runbook.phases for step in phase.steps for block in step.blocks),
    ]
    return block.kind, block.confidence >= SURE


@pytest.mark.parametrize(
    ("body", "info"),
    [
        ("postmap /etc/postfix/x\nservice postfix restart", "sh"),
        ("sudo apt-get install -y postfix", ""),
        ("FOO=1 make -j4 install", "bash"),
        ("for i in 1 2; do\n  echo $i\ndone", "bash"),
        ("cat > /etc/x <<EOF\na = b\nEOF", "sh"),
        ("$ systemctl reload nginx", "console"),
        ("root@mail:~# postqueue -p", ""),
        ("# a comment\nrsync -a a b", "sh"),
        ("unknown-tool --flag x", "sh"),
    ],
)
def test_commands_are_recognised(body: str, info: str) -> None:
    """Shell fences of commands, prompts, and untagged blocks whose every line is a command."""
    assert decided(body, info) == (BlockKind.COMMAND, True)


@pytest.mark.parametrize(
    ("body", "info"),
    [
        ("service lmtp {\n  inet_listener x {\n  }\n}", "bash"),
        ("myhostname = mail.example.org", "sh"),
        ("[Unit]\nDescription=x", "sh"),
        ("set number\nset ruler", "sh"),
        ("key: value\nother: value", "bash"),
        ("!include conf.d/*.conf", ""),
        ("(a_metric - b_metric)/1024", ""),
        ("alias ll='ls -l'\nexport PATH=$HOME/bin:$PATH", "sh"),
        ("# cat script\nrm -rf /tmp/x", "sh"),
        ("#!/bin/sh\nrm -rf /tmp/x", "sh"),
        ("$mac docker ps\nCONTAINER ID", "sh"),
        ("Run the `reboot` command now on each of them", "bash"),
        ("make sure that all of them agree", ""),
        ("domain.tld smtp:[mail.plop.tld]", "sh"),
        ("rm -rf /tmp/x", "yaml"),
        ("print('x')", "python"),
        ("# service postfix restart", "sh"),
        ("apt update\n...\napt upgrade", "sh"),
        ("rm my\\_file", "sh"),
        ("Filesystem Size Used\n/dev/sda1 1G 2M", ""),
        ("mysql> DROP TABLE x;", ""),
        ("SELECT * FROM users;", "sql"),
        ("crontab -e", "sh"),
        ("nano /etc/hosts", "sh"),
        ("ssh root@example.org", "sh"),
        ("kubectl exec -it pod -- sh\nls", "sh"),
        ("mail IN A 192.0.2.1\nmail IN TXT v=spf1", ""),
        ("", "sh"),
    ],
)
def test_what_is_no_command_is_never_sure_to_be_one(body: str, info: str) -> None:
    """Settings, scripts, prose, output, other programs' input and dialogues in any fence: none can be run as it is."""
    kind, sure = decided(body, info)
    assert not (sure and kind in {BlockKind.COMMAND, BlockKind.MIXED})


def test_settings_are_a_file() -> None:
    """Settings in a shell fence are a file's content; the path the text names is only a guess, held until read."""
    assert decided("myhostname = mail.example.org", "sh") == (BlockKind.FILE, False)
    runbook = bare("# P\n\nAdd this to `/etc/postfix/main.cf`:\n\n" + fence("a = b", "bash"))
    (action,) = runbook.actions()
    assert action.file is not None
    assert action.file.path == "/etc/postfix/main.cf"
    assert HoldCode.UNREAD in [hold.code for hold in action.holds]


def test_a_longer_placeholder_is_not_the_shorter_one() -> None:
    """Where `mail.plop.tld` stands, `plop.tld` does not."""
    runbook = bare("# P\n\nLook:\n\n" + fence("ping plop.tld\nping mail.plop.tld", "sh"))
    assert {lit.text: lit.lines for lit in runbook.literals} == {"plop.tld": (6,), "mail.plop.tld": (7,)}


def test_output_is_not_run() -> None:
    """A block the text before it calls output is output, even in a shell fence; so is what follows a prompt."""
    assert decided("rm -rf x", "sh", "You should see output like this:") == (BlockKind.OUTPUT, True)
    runbook = bare("# P\n\nLook:\n\n" + fence("$ ls\nrm -rf x\n$ pwd\n/root", "console"))
    assert [a.text for a in runbook.actions()] == ["ls\npwd\n"]


@pytest.mark.parametrize(
    ("info", "path"),
    [
        ("sh /etc/x.conf", "/etc/x.conf"),
        ("~/x", ""),
        ('yaml title="/etc/y.yml"', "/etc/y.yml"),
        ("ini ~/z.ini", "~/z.ini"),
    ],
)
def test_a_path_in_the_opening_line_is_a_file(info: str, path: str) -> None:
    """A path after the language, or as a title, makes a file step."""
    runbook = bare("# P\n\nWrite it:\n\n" + fence("x", info))
    assert [a.file.path for a in runbook.actions() if a.file] == ([path] if path else [])


def test_an_uncertain_command_is_held_until_it_is_read() -> None:
    """Below 0.75 a command is offered, but held with the reason."""
    (action,) = bare("# P\n\nRun it:\n\n" + fence("frobnicate all", "sh")).actions()
    assert [h.code for h in action.holds] == [HoldCode.NO_HOST, HoldCode.UNREAD]


def test_a_paragraph_with_a_block_is_a_step() -> None:
    """Its title is its last imperative sentence; blocks in a row belong to the same step."""
    body = (
        "# P\n\nThis is nice. Install the package now. It is small:\n\n"
        + fence("apt update")
        + fence("apt upgrade", "sh")
    )
    runbook = bare(body.replace("{.run host=old}", ""))
    assert shape(runbook) == [("1.1", "Install the package now.")]
    assert [a.text for a in runbook.actions()] == ["apt update\n", "apt upgrade\n"]


def test_lists_without_anything_to_do_are_no_steps() -> None:
    """A third of the items must ask for something, or one must be a task or carry something to do."""
    assert shape(bare("# P\n\n- red\n- green\n- blue\n- stop here\n")) == []
    assert shape(bare("# P\n\n- red\n- green\n- stop here\n")) != []
    assert shape(bare("# P\n\n- [ ] red\n- [ ] green\n")) == [("1.1", "red"), ("1.2", "green")]


def test_a_ban_is_a_warning() -> None:
    """A negative imperative is no step."""
    runbook = bare("# P\n\n- Stop it\n- Do NOT reboot the machine\n\nNever run this twice.\n")
    (step,) = runbook.steps()
    assert step.warnings == ("Do NOT reboot the machine", "Never run this twice.")


@pytest.mark.parametrize("title", ["Rollback", "How to roll back", "Troubleshooting", "FAQ"])
def test_ways_back_and_asides_are_never_walked(title: str) -> None:
    """Neither they nor the sections below them enter the way forward."""
    aside = f"## {title}\n\n- Remove it\n\n### Deeper\n\n- Restart it\n\n"
    runbook = bare(f"# P\n\n- Install it\n\n{aside}## On\n\n- Start it\n")
    assert [title for _, title in shape(runbook)] == ["Install it", "Start it"]


def test_a_hidden_way_back_is_not_offered() -> None:
    """A fence inside `<details>` whose summary speaks of undoing is only shown."""
    body = "# P\n\nInstall:\n\n{0}\n<details><summary>Undo</summary>\n\n{1}\n</details>\n\nStart it:\n\n{2}"
    runbook = bare(body.format(fence("apt update", "sh"), fence("rm -rf x", "sh"), fence("service x start", "sh")))
    assert [a.text for a in runbook.actions()] == ["apt update\n", "service x start\n"]


def test_a_lost_closing_line_hides_what_it_swallowed() -> None:
    """The fence that swallowed the next one is only shown, loudly; the next one is read on its own."""
    body = "# P\n\nRun:\n\n```sh\nrm -rf x\n\nThen look:\n\n```sh\nls\n```\n"
    runbook = bare(body)
    assert [a.text for a in runbook.actions()] == ["ls\n"]
    assert [(p.code, p.severity, p.line) for p in runbook.problems] == [("unclosed-fence", Severity.WARNING, 5)]


def test_a_marked_fence_without_an_end_is_held() -> None:
    """Nobody can say where its command ends, so it is read first."""
    (action,) = bare("# P\n\nRun:\n\n``` sh {.run host=local}\nls\n").actions()
    assert [hold.code for hold in action.holds] == [HoldCode.UNREAD]


def test_the_host_of_the_text_is_only_a_suggestion() -> None:
    """The words that name a machine are part of the question, never the answer."""
    (action,) = bare("# P\n\n- Restart it on new server\n\n" + fence("service x restart", "sh")).actions()
    assert action.host is None
    assert "on new server" in action.holds[0].why


def test_classes_of_ours_count_in_a_bare_file() -> None:
    """A file may sit anywhere between bare and annotated: a marked fence is what it says."""
    runbook = bare("# P\n\n- do\n\n" + fence("x", "text /x {.file host=local mode=set}") + fence("y", "sh {.verify}"))
    (action,) = runbook.actions()
    assert (action.host, action.file.mode if action.file else None) == ("local", FileMode.SET)
    assert len(action.verifies) == 1
    assert action.holds == ()


@pytest.mark.parametrize(
    ("title", "seconds"),
    [
        ("Wait at least a week to be sure", 604800), ("Wait 48 hours", 172800), ("wait for 30 min", 1800),
        ("Waits two days", 172800), ("Wait 24-48 hours", 172800), ("Wait for the mail", None),
        ("Install in a week", None),
        ("Wait a couple of minutes", 120),
    ],
)  # fmt: skip
def test_waits(title: str, seconds: float | None) -> None:
    """Only a text that says to wait, and how long, is a wait."""
    assert wait_seconds(title) == seconds


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\nb\n", ("a", "b")),
        ("a \\\n  b\nc", ("a \\\n  b", "c")),
        ("a |\n  b\nc &&\nd", ("a |\n  b", "c &&\nd")),
        ("echo 'a\nb'\nc", ("echo 'a\nb'", "c")),
        ("cat <<EOF\nx'\nEOF\nb", ("cat <<EOF\nx'\nEOF", "b")),
        ("if a; then\n  b\nfi\nc", ("if a; then\n  b\nfi", "c")),
        ("f() {\n  a\n}\nb", ("f() {\n  a\n}", "b")),
        ("# only\n\na # b", ("a # b",)),
        ("for i in 1; do echo $i; done\nb", ("for i in 1; do echo $i; done", "b")),
    ],
)
def test_logical_lines(text: str, lines: tuple[str, ...]) -> None:
    """Continuations, quotes, heredocs and control structures are one command each (rule 7)."""
    assert logical_lines(text) == lines


def test_foreign_front_matter_is_left_alone() -> None:
    """TOML and Nikola headers and broken YAML of a blog keep nothing from being read."""
    for head, title in (("+++\ntitle = 'Hi'\n+++\n", "Hi"), ("---\ntitle: Hi\nx: [\n---\n", "Hi"),
                        ("<!--\n.. title: Hi\n-->\n", "Hi"), ("\n---\ntitle: Hi\n---\n", "Hi")):  # fmt: skip
        runbook = bare(head + "\n- Install it\n")
        assert (runbook.title, runbook.errors) == (title, ())
        assert [s.title for s in runbook.steps()] == ["Install it"]


def test_a_line_of_a_step_s_source_keeps_its_distance() -> None:
    """Blank lines and sub-steps between a step's fences leave blank lines, so that a fence is found by its line."""
    fences = "``` sh\nservice stop\n```\n\n``` sh\nservice status\n```\n"
    text = f"# T\n\n## To do\n\n* Stop the server:\n{fences}\n* Start it\n"
    step = next(read(text.encode()).steps())
    lines = step.source.splitlines()
    assert [lines[action.line - step.line] for action in step.actions] == ["``` sh", "``` sh"]
