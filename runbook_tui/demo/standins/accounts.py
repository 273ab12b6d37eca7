"""Users and groups come and go: pw of FreeBSD, useradd and its kin of Debian write the host's real files."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.demo import passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runbook_tui.demo.host import Host, User
    from runbook_tui.demo.standins.call import Call, Command, Options

_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_FIRST_SYSTEM_UID = 100


@dataclass(frozen=True, slots=True)
class Account:
    """What a new user gets."""

    name: str
    uid: int
    gid: int
    about: str
    home: str
    shell: str


def groups(host: Host) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Read group(5): name -> gid and further members."""
    found = {}
    for line in host.path("/etc/group").read_text("utf-8").splitlines():
        parts = line.split(":")
        if len(parts) == 4:
            found[parts[0]] = (int(parts[2]), tuple(filter(None, parts[3].split(","))))
    return found


def add_user(host: Host, account: Account, *, stored: str = passwords.LOCKED) -> None:
    """Write a user's lines into passwd, group and the file of hashes, and make the home."""
    with host.path("/etc/passwd").open("a", encoding="utf-8") as passwd:
        passwd.write(f"{account.name}:x:{account.uid}:{account.gid}:{account.about}:{account.home}:{account.shell}\n")
    if account.gid not in {gid for gid, _ in groups(host).values()}:
        with host.path("/etc/group").open("a", encoding="utf-8") as group:
            group.write(f"{account.name}:x:{account.gid}:\n")
    hashes = passwords.path_of(host)
    rest = (
        f"{account.uid}:{account.gid}::0:0:{account.about}:{account.home}:{account.shell}"
        if host.layout.system == "freebsd"
        else "19000:0:99999:7:::"
    )
    with hashes.open("a", encoding="utf-8") as shadow:
        shadow.write(f"{account.name}:{stored}:{rest}\n")


def remove_user(host: Host, name: str, *, with_home: bool) -> None:
    """Take a user's lines out again."""
    home = host.users()[name].home
    for path in (host.path("/etc/passwd"), host.path("/etc/group"), passwords.path_of(host)):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith(f"{name}:")), encoding="utf-8")
    if with_home:
        shutil.rmtree(host.path(home), ignore_errors=True)


def _make(call: Call, name: str, given: Mapping[str, str], *, home_wanted: bool, statuses: Mapping[str, int]) -> None:
    """Add a user from `uid`, `group`, `about`, `home`, `shell`, `groups`; `statuses` are for what cannot be."""
    host, known = call.machine.host, call.machine.host.users()
    command = call.argv[0]
    taken = {user.uid for user in known.values()}
    if not _NAME.fullmatch(name):
        call.fail(f"{command}: invalid user name '{name}'", statuses["invalid"])
    if name in known:
        call.fail(statuses_text(command, "exists", name), statuses["exists"])
    uid = int(given["uid"]) if given["uid"] else max([host.layout.first_uid - 1, *(u for u in taken if u < 60000)]) + 1
    if uid in taken:
        call.fail(statuses_text(command, "uid", str(uid)), statuses["uid"])
    there = groups(host)
    further = [one for one in given["groups"].split(",") if one]
    for group in (*further, *([given["group"]] if given["group"] and not given["group"].isdigit() else [])):
        if group not in there:
            call.fail(f"{command}: group '{group}' does not exist", statuses["group"])
    gid = int(given["group"]) if given["group"].isdigit() else there[given["group"]][0] if given["group"] else uid
    home = given["home"] or f"/home/{name}"
    add_user(host, Account(name, uid, gid, given["about"], home, given["shell"] or "/bin/sh"))
    for group in further:
        _join(host, name, group)
    if home_wanted:
        host.path(home).mkdir(parents=True, exist_ok=True)


def statuses_text(command: str, trouble: str, subject: str) -> str:
    """Give the sentence of pw(8) or useradd(8)."""
    if command == "pw":
        return (
            f"pw: login name `{subject}' already exists"
            if trouble == "exists"
            else f"pw: uid `{subject}' has already been allocated"
        )
    return (
        f"{command}: user '{subject}' already exists"
        if trouble == "exists"
        else f"{command}: UID {subject} is not unique"
    )


def _join(host: Host, user: str, group: str) -> None:
    path = host.path("/etc/group")
    lines = []
    for line in path.read_text("utf-8").splitlines():
        parts = line.split(":")
        if parts[0] == group and user not in parts[3].split(","):
            parts[3] = ",".join(filter(None, [*parts[3].split(","), user]))
        lines.append(":".join(parts))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


_USERADD = {"invalid": 3, "exists": 9, "uid": 4, "group": 6}
_PW = {"invalid": 65, "exists": 65, "uid": 65, "group": 67}
_NO_USER = {"useradd": 6, "userdel": 6, "usermod": 6, "pw": 67}


def useradd(call: Call) -> None:
    """Add a user as Debian does: without -m there is no home."""
    given = call.options(
        "mMu:g:G:c:d:s:UrNk:p:", long="create-home uid= gid= groups= comment= home-dir= shell= user-group system"
        " password= no-create-home",
    )  # fmt: skip
    name = _only(call, given)
    _make(call, name, _wishes(given), home_wanted=bool(given.flags & {"m", "create-home"}), statuses=_USERADD)
    if stored := given.value("p") or given.value("password"):
        passwords.store(call.machine.host, name, stored)


def adduser(call: Call) -> None:
    """Add a user as Debian's script does, without questions, or one to a group."""
    given = call.options(
        "q",
        long="disabled-password disabled-login gecos= comment= uid= gid= ingroup= home= shell= no-create-home quiet",
    )
    if len(given.rest) == 2:
        user, group = given.rest
        _known(call, user)
        if group not in groups(call.machine.host):
            call.fail(f"adduser: The group `{group}' does not exist.", 1)
        _join(call.machine.host, user, group)
        return
    if not given.flags & {"disabled-password", "disabled-login"}:
        call.refuse("a question for the password")
    name = _only(call, given)
    wishes = {
        "uid": given.value("uid"), "group": given.value("gid") or given.value("ingroup"), "groups": "",
        "about": given.value("gecos") or given.value("comment"), "home": given.value("home"),
        "shell": given.value("shell", "/bin/bash"),
    }  # fmt: skip
    statuses = {"invalid": 1, "exists": 1, "uid": 1, "group": 1}
    _make(call, name, wishes, home_wanted="no-create-home" not in given.flags, statuses=statuses)


def _wishes(given: Options) -> dict[str, str]:
    words = {"uid": "u uid", "group": "g gid", "groups": "G groups", "about": "c comment", "home": "d home-dir",
             "shell": "s shell"}  # fmt: skip
    return {wish: next(filter(None, map(given.value, names.split())), "") for wish, names in words.items()}


def userdel(call: Call) -> None:
    """Remove a user; -r removes the home too."""
    given = call.options("rf", long="remove force remove-home")
    name = _only(call, given)
    _known(call, name)
    remove_user(call.machine.host, name, with_home=bool(given.flags & {"r", "remove", "remove-home"}))


def usermod(call: Call) -> None:
    """Lock, unlock, add to groups, set a hash or a shell."""
    given = call.options("LUaG:p:s:", long="lock unlock append groups= password= shell=")
    name = _only(call, given)
    _known(call, name)
    host = call.machine.host
    stored = passwords.stored(host, name)
    if given.flags & {"L", "lock"}:
        passwords.store(host, name, "!" + stored.lstrip("!"))
    if given.flags & {"U", "unlock"}:
        passwords.store(host, name, stored.lstrip("!"))
    if hashed := given.value("p") or given.value("password"):
        passwords.store(host, name, hashed)
    if further := given.value("G") or given.value("groups"):
        if not given.flags & {"a", "append"}:
            call.refuse("-G without -a")
        for group in further.split(","):
            if group not in groups(host):
                call.fail(f"usermod: group '{group}' does not exist", 6)
            _join(host, name, group)
    if shell := given.value("s") or given.value("shell"):
        _edit(host.path("/etc/passwd"), name, lambda fields: [*fields[:6], shell])


def _edit(path: Path, name: str, change: Callable[[list[str]], list[str]]) -> None:
    lines = [line.split(":") for line in path.read_text("utf-8").splitlines()]
    lines = [change(fields) if fields[0] == name else fields for fields in lines]
    path.write_text("".join(":".join(fields) + "\n" for fields in lines), encoding="utf-8")


def groupadd(call: Call) -> None:
    """Add a group."""
    given = call.options("g:rf", long="gid= system force")
    name, there = _only(call, given), groups(call.machine.host)
    if name in there:
        if given.flags & {"f", "force"}:
            return
        call.fail(f"groupadd: group '{name}' already exists", 9)
    gid = int(given.value("g") or given.value("gid") or max(gid for gid, _ in there.values() if gid < 60000) + 1)
    with call.machine.host.path("/etc/group").open("a", encoding="utf-8") as group:
        group.write(f"{name}:x:{gid}:\n")


def chpasswd(call: Call) -> None:
    """Set passwords from lines `user:password` on standard input; with -e they are hashes."""
    given = call.options("e", long="encrypted")
    for number, line in enumerate(call.stdin.read().decode().splitlines(), 1):
        name, colon, value = line.partition(":")
        if not colon:
            call.fail(f"chpasswd: line {number}: missing new password")
        if name not in call.machine.host.users():
            call.fail(
                f"chpasswd: line {number}: user '{name}' does not exist\nchpasswd: error detected, changes ignored"
            )
        ready = given.flags & {"e", "encrypted"}
        passwords.store(call.machine.host, name, value if ready else passwords.hashed(value))


def pw(call: Call) -> None:
    """Do what FreeBSD's command does: useradd, usershow, userdel, lock, unlock, groupshow, and as two words."""
    words = list(call.argv[1:])
    verb = (
        words.pop(0)
        if words
        else call.fail("usage: pw [-R rootdir] [user|group|lock|unlock] [add|del|mod|show|next]", 64)
    )
    if verb in {"user", "group"} and words:
        verb += words.pop(0)
    given = call.options("n:u:g:G:c:d:s:mraH:h:w:", arguments=tuple(words))
    name = given.value("n") or (given.rest[0] if given.rest else "")
    host = call.machine.host
    match verb:
        case "useradd":
            _make(call, name, _wishes(given), home_wanted="m" in given.flags, statuses=_PW)
            if given.value("H") == "0":
                passwords.store(host, name, call.stdin.readline().decode().strip())
            elif given.value("h") == "0":
                passwords.store(host, name, passwords.hashed(call.stdin.readline().decode().strip()))
        case "usershow":
            for user in host.users().values() if "a" in given.flags else [_known(call, name)]:
                hidden = passwords.stored(host, user.name) if call.user == "root" else passwords.LOCKED
                about = _about(host, user.name)
                call.say(f"{user.name}:{hidden}:{user.uid}:{user.gid}::0:0:{about}:{user.home}:{user.shell}")
        case "groupshow":
            for group, (gid, members) in groups(host).items():
                if "a" in given.flags or group == name:
                    call.say(f"{group}:*:{gid}:{','.join(members)}")
        case "lock" | "unlock":
            _known(call, name)
            stored = passwords.stored(host, name).removeprefix("*LOCKED*")
            passwords.store(host, name, f"*LOCKED*{stored}" if verb == "lock" else stored)
        case "userdel":
            _known(call, name)
            remove_user(host, name, with_home="r" in given.flags)
        case _:
            call.refuse(verb)


def _about(host: Host, name: str) -> str:
    lines = host.path("/etc/passwd").read_text("utf-8").splitlines()
    return next((line.split(":")[4] for line in lines if line.startswith(f"{name}:")), "")


def _only(call: Call, given: Options) -> str:
    if len(given.rest) != 1:
        call.refuse("one name is wanted")
    return given.rest[0]


def _known(call: Call, name: str) -> User:
    user = call.machine.host.users().get(name)
    if user is None:
        command = call.argv[0]
        text = f"pw: no such user `{name}'" if command == "pw" else f"{command}: user '{name}' does not exist"
        call.fail(text, _NO_USER.get(command, 1))
    return user


COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "freebsd": {"pw": pw},
    "debian": {
        "useradd": useradd, "adduser": adduser, "userdel": userdel, "deluser": userdel, "usermod": usermod,
        "groupadd": groupadd, "chpasswd": chpasswd,
    },
}  # fmt: skip
"""By system."""
