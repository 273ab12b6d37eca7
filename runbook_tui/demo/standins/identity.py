"""Who is who on a host: getent, id and whoami look, chown and chgrp check their words.

Every file of the world belongs to whoever runs it: an owner must be known, and is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.demo.standins.accounts import groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.standins.call import Call, Command


def getent(call: Call) -> int:
    """Look up passwd, group, shadow and hosts."""
    table, *keys = call.options("").rest or ("",)
    host = call.machine.host
    paths = {"passwd": "/etc/passwd", "group": "/etc/group", "hosts": "/etc/hosts", "shadow": "/etc/shadow"}
    if table not in paths or (table == "shadow" and host.layout.system == "freebsd"):
        call.fail(f"Unknown database: {table}")
    lines = host.path(paths[table]).read_text("utf-8").splitlines()
    if not keys:
        call.stdout.writelines(f"{line}\n" for line in lines)
        return 0
    status = 0
    for key in keys:
        found = [line for line in lines if key in (line.split() if table == "hosts" else line.split(":")[0:3:2])]
        for line in found[:1]:
            call.say(line)
        status = status if found else 2
    return status


def identity(call: Call) -> int:
    """id(1): of a user of the host."""
    given = call.options("ugnGr")
    host = call.machine.host
    name = given.rest[0] if given.rest else call.user
    user = host.users().get(name)
    if user is None:
        shown = name if host.layout.system == "freebsd" else f"\u2018{name}\u2019"
        call.fail(f"id: {shown}: no such user")
    there = groups(host)
    names = {gid: group for group, (gid, _) in there.items()}
    further = [gid for gid, members in there.values() if name in members and gid != user.gid]
    named = "n" in given.flags
    if "u" in given.flags:
        call.say(name if named else str(user.uid))
    elif "g" in given.flags:
        call.say(names.get(user.gid, str(user.gid)) if named else str(user.gid))
    elif "G" in given.flags:
        call.say(" ".join(names.get(gid, str(gid)) if named else str(gid) for gid in (user.gid, *further)))
    else:
        all_groups = ",".join(f"{gid}({names.get(gid, gid)})" for gid in (user.gid, *further))
        call.say(f"uid={user.uid}({name}) gid={user.gid}({names.get(user.gid, user.gid)}) groups={all_groups}")
    return 0


def whoami(call: Call) -> None:
    """Say who calls."""
    call.options("")
    call.say(call.user)


def own(call: Call) -> int:
    """Chown and chgrp: the names and the files must be there; nothing else happens."""
    given = call.options("RhHLPvcf", long="recursive no-dereference verbose reference= preserve-root")
    if given.value("reference"):
        call.refuse("--reference")
    owner, *files = given.rest or ("",)
    if not files:
        call.fail(f"{call.argv[0]}: missing operand")
    host = call.machine.host
    user, group = ("", owner) if call.argv[0] == "chgrp" else owner.partition(":")[::2]
    if user and not user.isdigit() and user not in host.users():
        call.fail(f"{call.argv[0]}: invalid user: \u2018{owner}\u2019")
    if group and not group.isdigit() and group not in groups(host):
        call.fail(f"{call.argv[0]}: invalid group: \u2018{owner}\u2019")
    status = 0
    for file in files:
        if not call.file(file).exists() and not call.file(file).is_symlink():
            call.warn(f"{call.argv[0]}: cannot access '{file}': No such file or directory")
            status = 1
    return status


COMMANDS: Mapping[str, Command] = {"getent": getent, "id": identity, "whoami": whoami, "chown": own, "chgrp": own}
