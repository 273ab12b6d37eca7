"""In tier plain a command's text means the host's own paths, and its content stays as it was written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runbook_tui.demo.isolation import rewriting
from runbook_tui.demo.isolation.rewriting import ROOT_VARIABLE, rewrite, shell_words, written_outside


@pytest.fixture
def root(tmp_path: Path) -> str:
    """The folder of the host `old`, beside `new`, with a user and one stand-in."""
    for name in ("old", "new"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/passwd").write_text("plop:x:1:1::/home/plop:/bin/sh\n", encoding="utf-8")
    standins = tmp_path / "old" / rewriting.STANDINS
    standins.mkdir(parents=True)
    (standins / "postmap").touch()
    return str(tmp_path / "old")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat /etc/motd", "cat ROOT/etc/motd"),
        ("cat '/etc/motd' \"/var/log/maillog\"", "cat 'ROOT/etc/motd' \"ROOT/var/log/maillog\""),
        ("x=/home/plop;cd /usr/local/etc/postfix", "x=ROOT/home/plop;cd ROOT/usr/local/etc/postfix"),
        ("a >/tmp/x 2>>/var/log/y </root/z", "a >ROOT/tmp/x 2>>ROOT/var/log/y <ROOT/root/z"),
        ("ls /etc", "ls ROOT/etc"),
        ("rsync -a --exclude=/tmp ~plop/ /home", "rsync -a --exclude=ROOT/tmp ROOT/home/plop/ ROOT/home"),
        ("$(cat /etc/x) `cat /etc/y`", "$(cat ROOT/etc/x) `cat ROOT/etc/y`"),
        ("/usr/local/sbin/postmap /sbin/postmap", "ROOT/STAND/postmap ROOT/STAND/postmap"),
        ("ls a/echo /etc/motd", "ls a/echo ROOT/etc/motd"),
        ("cat ROOT/etc/motd", "cat ROOT/etc/motd"),
        ("postmap hash:/etc/aliases", "postmap hash:ROOT/etc/aliases"),
        ('test "$(postconf -h a)" = hash:/etc/b\ntest "$x"', 'test "$(postconf -h a)" = hash:ROOT/etc/b\ntest "$x"'),
        ("cat OTHER/etc/motd; ls OTHER", "cat ROOT/etc/motd; ls ROOT"),
    ],
)
def test_paths_of_the_host_are_found(root: str, text: str, expected: str) -> None:
    """Folders that every host has, homes and stand-ins are found wherever a word begins; what is found once stays."""
    names = (("ROOT", root), ("OTHER", str(Path(root).parent / "new")), ("STAND", rewriting.STANDINS))
    for name, path in names:
        text, expected = text.replace(name, path), expected.replace(name, path)
    assert rewrite(text, root) == expected


@pytest.mark.parametrize(
    "text",
    [
        "scp x new:/etc/y", "cat etc/motd a/etc/b ./etc/c", "/usr/bin/awk /dev/null",
        "cat /etcetera /variant /etc-old /tmp.x", "cat <<EOF\n/etc/motd\n~plop/x\nEOF", "cat <<'E' >x\n/etc/a\nE",
        "echo /etc/motd", "printf '%s\\n' '/home/plop/x'", 'echo "at $HOME/etc /etc/x"',
        "/usr/sbin/postconf -e 'a = /etc/b'",
        "grep -q '/var/mail' x", "sed -e 's#/usr/local/bin#/usr/bin#' x", "PATH=$PATH:/usr/local/bin", "~stranger/x",
        "echo a#/etc/b", "$X/etc/y", "${X}/etc/y",
    ],
)  # fmt: skip
def test_the_rest_stays(root: str, text: str) -> None:
    """Other hosts' paths, the machine's programs, and what is content rather than a path to open stay untouched."""
    assert rewrite(text, root) == text


def test_content_ends_where_a_file_is_named(root: str) -> None:
    """What echo says stays, the file it goes to and a command within it are rewritten."""
    assert rewrite("echo /etc/a > /etc/b; cat /etc/c", root) == f"echo /etc/a > {root}/etc/b; cat {root}/etc/c"
    assert rewrite('echo "$(cat /etc/a)"', root) == f'echo "$(cat {root}/etc/a)"'
    here = "cat <<E >{}/etc/b\n/etc/a\nE\ncat {}/etc/c"
    assert rewrite(here.format("", ""), root) == here.format(root, root)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("touch /usr/local/x", "/usr/local/x"), ("cd / && sudo rm -rf /usr/share/doc/x", "/usr/share/doc/x"),
        ("echo x > /opt/y", "/opt/y"), ("echo x >>/opt/y", "/opt/y"), ("cp a b /opt/", "/opt/"),
        ("if true; then mkdir -p /opt/z; fi", "/opt/z"), ("X=1 tee ROOT/a /opt/z", "/opt/z"),
        ("rm ROOT/../other", "ROOT/../other"), ("mv /opt/a ROOT/b", "/opt/a"),
        ("cp /usr/share/a ROOT/b", ""), ("echo x > /dev/null 2>/dev/tty", ""), ("rm -rf ROOT/home", ""),
        ("echo 'rm /x > /y'", ""), ("cat /usr/share/x", ""), ("touch a; ls /opt", ""), ("chmod 600 ROOT/x", ""),
    ],
)  # fmt: skip
def test_a_write_outside_is_seen_where_the_text_shows_it(root: str, text: str, path: str) -> None:
    """Commands that write, and redirections, are judged by the paths they name."""
    assert written_outside(text.replace("ROOT", root), root) == path.replace("ROOT", root)


def test_such_a_command_is_not_run(root: str) -> None:
    """In its place runs one that says the path and ends with 126."""
    words = shell_words("echo ran; touch /usr/local/x", root)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr == "sh: /usr/local/x: outside the rehearsal's hosts, not written\n"


def test_the_program_is_a_shell(root: str) -> None:
    """Run in the place of /bin/sh it rewrites the text after -c, and hands on arguments and standard input."""
    Path(root, "etc/motd").write_text("this is old\n", encoding="utf-8")
    command = [sys.executable, "-IS", rewriting.__file__]
    told = said([*command, "-c", 'cat /etc/motd; echo "$0 $1"', "name", "/etc/x"], root)
    assert told == "this is old\nname /etc/x\n"
    assert said(command, root, "echo /etc/y") == "/etc/y\n"


def said(command: list[str], root: str, fed: str = "") -> str:
    """Run a command on the host and give what it said."""
    environment = {ROOT_VARIABLE: root}
    return subprocess.run(command, env=environment, input=fed, capture_output=True, text=True, check=True).stdout
