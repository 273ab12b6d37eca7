"""`Host.ssh` and the operator's configuration, resolved and compared with `ssh -G`."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from runbook_tui.adapters.ssh_target import SshSettings, Target, resolve
from runbook_tui.core.errors import HostError


def settings_for(folder: Path, text: str) -> SshSettings:
    """Settings whose only configuration file has this text."""
    file = folder / "config"
    file.write_text(text, encoding="utf-8")
    return SshSettings(config_files=(file,), home=folder, agent_path="/run/agent", identity_files=(Path("/k/default"),))


@pytest.mark.parametrize(
    ("text", "user", "address", "port"),
    [
        ("root@mail.test", "root", "mail.test", 22),
        ("root@mail.test:2222", "root", "mail.test", 2222),
        ("mail.test", None, "mail.test", 22),
        ("root@192.0.2.1:22", "root", "192.0.2.1", 22),
        ("root@[2001:db8::1]:2222", "root", "2001:db8::1", 2222),
        ("[::1]", None, "::1", 22),
        ("ssh://root@mail.test:2222", "root", "mail.test", 2222),
        ("ssh://mail.test/", None, "mail.test", 22),
        ("ssh://root@[::1]:2", "root", "::1", 2),
        ("first.last@mail.test", "first.last", "mail.test", 22),
    ],
)
def test_every_way_to_write_an_address_is_read(
    tmp_path: Path, text: str, user: str | None, address: str, port: int
) -> None:
    """User, address and port come out of each form."""
    target = resolve(text, settings_for(tmp_path, ""))
    assert (target.user, target.address, target.port) == (user or getpass.getuser(), address, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "root@",
        "a b",
        "root@mail.test:",
        "mail.test:99999",
        "mail.test:0",
        "-oProxyCommand=x",
        "root@-x",
        "2001:db8::1",
        "a/b",
    ],
)
def test_what_is_no_address_is_refused(tmp_path: Path, text: str) -> None:
    """A text that is no address, or could be an option, is an error that says what to write."""
    with pytest.raises(HostError, match="no SSH address"):
        resolve(text, settings_for(tmp_path, ""))


CONFIG = """
# a comment
Host old
    HostName 192.0.2.1
    User=admin
    IdentityFile ~/.ssh/old_key
    IdentityFile "%d/with space/%r@%h"
    Port 2200
host new new2 !new3
    hostname %h.example.org
    hostkeyalias the-new-one
    identitiesonly yes
    identityagent none
Match originalhost new* user root
    Port 77
Match exec "touch RAN"
    Port 78
Host far
    ProxyJump jump,admin@second.test:2022
Host jump
    HostName jump.test
    ProxyJump first.test
Host *
    User everybody
    Port 99
    SendEnv LANG LC_*
    UnknownKeyword "unbalanced
"""


def test_alias_gives_address_user_port_and_keys(tmp_path: Path) -> None:
    """The first value of an option wins, identity files collect, tokens are replaced."""
    target = resolve("old", settings_for(tmp_path, CONFIG))
    assert (target.user, target.address, target.port, target.name) == ("admin", "192.0.2.1", 2200, "192.0.2.1")
    assert target.key_files == (tmp_path / ".ssh/old_key", tmp_path / "with space/admin@192.0.2.1")
    assert (target.agent_path, target.identities_only, target.alias_named) == ("/run/agent", False, False)


def test_alias_of_the_host_key_and_agent_none(tmp_path: Path) -> None:
    """HostKeyAlias is the name for known_hosts; IdentityAgent none switches the agent off."""
    target = resolve("root@new", settings_for(tmp_path, CONFIG))
    assert (target.address, target.name, target.alias_named) == ("new.example.org", "the-new-one", True)
    assert (target.agent_path, target.identities_only) == ("", True)
    assert (target.user, target.port) == ("root", 77)
    assert target.key_files == (Path("/k/default"),)


def test_what_the_runbook_writes_wins_over_the_configuration(tmp_path: Path) -> None:
    """User and port of `Host.ssh` are not overridden."""
    target = resolve("me@old:5", settings_for(tmp_path, CONFIG))
    assert (target.user, target.port) == ("me", 5)


def test_match_exec_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Match block that would run a program does not apply and runs nothing."""
    monkeypatch.chdir(tmp_path)
    assert resolve("elsewhere", settings_for(tmp_path, CONFIG)).port == 99
    assert not (tmp_path / "RAN").exists()


def test_jump_hosts_come_in_order_with_their_own(tmp_path: Path) -> None:
    """The first jump host's own jump host comes before it."""
    target = resolve("far", settings_for(tmp_path, CONFIG))
    assert [(h.address, h.user, h.port) for h in target.hops] == [
        ("first.test", "everybody", 99), ("jump.test", "everybody", 99), ("second.test", "admin", 2022),
    ]  # fmt: skip


def test_circle_of_jump_hosts_is_refused(tmp_path: Path) -> None:
    """Jump hosts that lead to each other end in a sentence, not in endless recursion."""
    with pytest.raises(HostError, match="circle"):
        resolve("a", settings_for(tmp_path, "Host a\nProxyJump b\nHost b\nProxyJump a\n"))


def test_proxy_command_is_refused_by_name(tmp_path: Path) -> None:
    """A host behind a ProxyCommand is not connected to directly."""
    with pytest.raises(HostError, match="ProxyCommand"):
        resolve("a", settings_for(tmp_path, "Host a\nProxyCommand nc 'x %h\n"))
    assert resolve("a", settings_for(tmp_path, "Host a\nProxyCommand none\n")).hops == ()


def test_include_is_followed_in_place(tmp_path: Path) -> None:
    """Included files count where they stand, by pattern, and only where their block applies."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "1").write_text("Host a\n  Port 11\nHost other\n", encoding="utf-8")
    (tmp_path / "conf.d" / "2").write_text("User second\n", encoding="utf-8")
    text = "Include conf.d/*\nHost nobody\nInclude conf.d/nothing\nHost *\nUser late\nPort 12\n"
    target = resolve("a", settings_for(tmp_path, text))
    assert (target.port, target.user) == (11, "second")
    hidden = resolve("a", settings_for(tmp_path, f"Host nobody\nInclude {tmp_path}/conf.d/*\nHost *\nPort 12\n"))
    assert hidden.port == 12


def test_broken_configuration_is_named_with_its_line(tmp_path: Path) -> None:
    """Quotes that do not match, a bad port and a folder for a file are errors that say where."""
    with pytest.raises(HostError) as caught:
        resolve("a", settings_for(tmp_path, "Host *\nUser 'x\n"))
    assert "config line 2" in caught.value.detail
    with pytest.raises(HostError, match="port"):
        resolve("a", settings_for(tmp_path, "Port many\n"))
    with pytest.raises(HostError, match="cannot be read"):
        resolve("a", SshSettings(config_files=(tmp_path,)))


@pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
@pytest.mark.parametrize("name", ["old", "root@new", "new2", "new3", "far", "elsewhere"])
def test_ssh_itself_resolves_the_same(tmp_path: Path, name: str) -> None:
    """`ssh -G` gives the same address, user and port for the configuration above."""
    text = CONFIG.replace('UnknownKeyword "unbalanced', "").replace("touch RAN", "false")
    target = resolve(name, settings_for(tmp_path, text))
    shown = subprocess.run(["ssh", "-F", tmp_path / "config", "-G", name], capture_output=True, text=True, check=True)
    options = dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)
    assert (target.address, target.user, str(target.port)) == (options["hostname"], options["user"], options["port"])


def test_environment_names_the_files(tmp_path: Path) -> None:
    """The variables replace the operator's files; an empty one means none; without them ssh's own are used."""
    env = {
        "HOME": str(tmp_path),
        "MAILRUNBOOK_SSH_CONFIG": "",
        "MAILRUNBOOK_KNOWN_HOSTS": "/a:/b",
        "SSH_AUTH_SOCK": "/s",
    }
    settings = SshSettings.from_environment(env)
    assert settings.config_files == ()
    assert settings.known_hosts_files == (Path("/a"), Path("/b"))
    assert settings.agent_path == "/s"
    assert SshSettings.from_environment({"HOME": str(tmp_path)}).config_files[0] == tmp_path / ".ssh/config"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (Target("mail.test", 22, "root", "x"), "root@mail.test"),
        (Target("::1", 2222, "root", "x"), "root@[::1]:2222"),
    ],
)
def test_target_reads_as_it_is_written(target: Target, shown: str) -> None:
    """A target is shown in a form that can be written again."""
    assert str(target) == shown
