"""Puts the commands of a host into a folder: stand-ins, wrappers of the machine's own, and what its system has not."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from runbook_tui.demo.host import FULL, PLAIN_PORTS, Tier
from runbook_tui.demo.standins.door import DOOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runbook_tui.demo.host import Host

CLIENT = "/run/rehearsal/client.py"
"""Where the near end of the stand-ins is on every host."""

REAL = "/run/rehearsal/real"
"""In tier ns, where stand-ins hide the machine's programs, those that wrappers need are copied here."""

LITERAL = ("dig", "nsupdate", "named-checkzone", "named-checkconf", "host", "nslookup")
"""Tools of the machine that are right where names and ports are the real ones: in tier ns alone."""

BORROWED = ("ssh", "scp", "sftp", "ssh-keygen", "rsync", "openssl")
"""Tools of the machine that both tiers use, through a wrapper where one is needed."""

BASIC = ("install", "find", "sed", "sleep")
"""Wrapped too, but never stood in for: every machine has them."""

ABSENT: Mapping[str, str] = {
    "freebsd": "systemctl journalctl loginctl timedatectl apt apt-get apt-cache dpkg dpkg-query useradd usermod userdel"
    " groupadd deluser chpasswd chage runuser invoke-rc.d update-rc.d hostnamectl a2ensite a2dissite a2enmod ss ip"
    " flock sha256sum md5sum update-ca-certificates",
    "debian": "sysrc pw sockstat pkg freebsd-version lockf chpass md5 sha256 portmaster",
}
"""What a system has not, though the machine below it may: a shell says that it is not found."""

REFUSED = (
    "reboot shutdown halt poweroff init telinit mount umount ip ifconfig route arping iptables ip6tables nft ufw pfctl"
    " sysctl modprobe kldload swapoff mkfs fdisk parted passwd vipw visudo pkill killall"
)
"""What would reach past the world, as root even far past it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The machine's own commands that the world may use: name -> absolute path."""

    paths: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def find(cls, tier: Tier, *, bare: bool = False) -> Tools:
        """Look for those that a tier can use; a bare world takes none that could be a stand-in."""
        wanted = BASIC if bare else (*BASIC, *BORROWED, *(LITERAL if tier is Tier.NS else ()))
        return cls({name: path for name in wanted if (path := shutil.which(name))})

    @property
    def stood_in(self) -> tuple[str, ...]:
        """What could have been the machine's own and is a stand-in."""
        return tuple(name for name in (*BORROWED, *LITERAL) if name not in self.paths)


def place(host: Host, folder: Path, names: Iterable[str], tools: Tools, addresses: Mapping[str, str]) -> None:
    """Fill `folder`, which comes first in the host's PATH, and put the stand-ins' client into the host.

    `names` are the stand-ins there are; `addresses` gives every name of the world its address, which the wrappers of
    tier plain need in place of a resolver.

    Raises:
        OSError: the host's folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in wrappers(host, folder, names, tools, addresses).items():
        path = folder / name
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o755)
    client = host.path(CLIENT)
    client.parent.mkdir(parents=True, exist_ok=True)
    client.write_text(resources.files(__package__).joinpath("client.py").read_text("utf-8"), encoding="utf-8")
    if host.tier is Tier.NS:
        real = host.path(REAL)
        real.mkdir(exist_ok=True)
        for name in OWN.keys() & tools.paths.keys():
            shutil.copy(tools.paths[name], real / name)


def wrappers(
    host: Host, folder: Path, names: Iterable[str], tools: Tools, addresses: Mapping[str, str]
) -> dict[str, str]:
    """Give the text after the first line of every file in a host's folder of commands."""
    plain = host.tier is Tier.PLAIN
    root = str(host.root) if plain else ""
    python = f"{os.path.realpath(sys.executable)} -IS {root}{CLIENT} {root}{DOOR}"
    texts = {name: f'exec {python} {name} "$@"\n' for name in names if name not in tools.paths}
    words = {
        "root": root, "full": root + FULL, "address": host.address, "port": str(host.port(22)),
        "names": " ".join(f"{name}) a={address};;" for name, address in addresses.items()) if plain else "",
        "ports": " ".join(f"{known}) p={port};;" for known, port in PLAIN_PORTS.items()) if plain else "",
        "blocks": "\n".join(
            f"Host {name}\n HostName {address}\n Port {host.port(22)}" for name, address in addresses.items() if plain
        ),
        "chown": str(folder / "chown") if plain else "chown",
    }  # fmt: skip
    for name, text in OWN.items():
        if name in tools.paths and (name != "sed" or host.layout.system == "freebsd"):
            real = tools.paths[name] if plain else f"{REAL}/{name}"
            texts[name] = Template(text).substitute(words, real=real)
    texts |= {name: Template(text).substitute(words) for name, text in SWITCHES.items()}
    missing = ABSENT[host.layout.system].split()
    texts |= {name: f'echo "{name}: not in the rehearsal" >&2\nexit 64\n' for name in REFUSED.split()}
    texts |= {name: f'echo "/bin/sh: {name}: not found" >&2\nexit 127\n' for name in missing}
    return texts


# OpenSSH looks for its settings in the home that getpwuid(3) knows, which is not the world user's; and connections
# must come from the host's own address. `Host *` at the end: the first value found is the one that counts.
_SSH = """[ -z "$root" ] && [ "$$LOGNAME" = root ] && exec $real -o BindAddress=$address "$$@"
c=$$HOME/.ssh/config; mkdir -p "$$HOME/.ssh"
{ cat <<'END'
BindAddress $address
LogLevel ERROR
$blocks
Host *
END
[ -f "$$c" ] && sed -e "s#\\([[:space:]=]\\)~/#\\1$$HOME/#g" \\
  -e "s#\\([[:space:]=]\\)/\\(root\\|home\\|etc\\)/#\\1$root/\\2/#g" "$$c"
printf 'Host *\\n User %s\\n UserKnownHostsFile %s/.ssh/known_hosts\\n' "$$LOGNAME" "$$HOME"
echo " GlobalKnownHostsFile /dev/null"
for k in ed25519 ecdsa rsa; do [ -f "$$HOME/.ssh/id_$$k" ] && echo " IdentityFile $$HOME/.ssh/id_$$k"; done
} > "$$c.$$$$"
mv -f "$$c.$$$$" "$$c.rehearsal"
exec $real -F "$$c.rehearsal" "$$@"
"""

# World time: an hour is over in a minute. Servers answer in real time, so short waits for them stay what they are.
_SLEEP = """case $$1 in ""|0*|*[!0-9]*) exec $real "$$@";; esac
n=$$(($$1 / 60)); [ $$n -gt 0 ] && exec $real $$n
exec $real "$$@"
"""

OWN: Mapping[str, str] = {
    "sleep": _SLEEP,
    "ssh": _SSH,
    "scp": _SSH,
    "sftp": _SSH,
    # A disk that is full: no file may grow, and rsync ends with 11 as it does for ENOSPC.
    "rsync": 'if [ -e $full ]; then trap "" XFSZ; ulimit -f 0; fi\nexec $real "$$@"\n',
    "openssl": """[ "$$1" = s_client ] || exec $real "$$@"
shift; set -- "$$@" --
while [ "$$1" != -- ]; do case $$1 in
 -connect) n=$${2%:*}; p=$${2##*:}; a=$$n; case $$n in $names esac; case $$p in $ports esac
  set -- "$$@" -bind $address:0 -connect "$$a:$$p"
  case $$n in *[!0-9.]*) set -- "$$@" -servername "$$n";; esac; shift 2;;
 *) set -- "$$@" "$$1"; shift;;
esac; done
shift; exec $real s_client "$$@"
""",
    # The world's files all belong to whoever runs it: an owner must be known, and is not recorded.
    "install": """for w; do shift; case $$w in
 -o) o=$$1; g=$${g-}; skip=1;; -g) g=$$1; skip=1;; *) [ "$${skip-}" ] && skip= || set -- "$$@" "$$w";;
esac; done
[ -z "$${o-}$${g-}" ] || $chown "$${o-}$${g:+:$$g}" / || exit 71
exec $real "$$@"
""",
    "find": """for w; do shift; case $${was-} in
 -user|-group) [ "$$was" = -user ] && o=$$w || o=:$$w; $chown "$$o" / || exit 1; set -- "$$@" -true;;
 *) case $$w in -user|-group) ;; *) set -- "$$@" "$$w";; esac;;
esac; was=$$w; done
exec $real "$$@"
""",
    # BSD's: -i takes a suffix of its own, and there are no long options.
    "sed": """for w; do case $$w in --*)
 echo "sed: illegal option -- -" >&2; echo "usage: sed script [-EHalnru] [-i extension] [file ...]" >&2; exit 1;;
esac; done
[ "$${1-}" = -i ] || exec $real "$$@"
suffix=$$2; shift 2
[ $$# -gt 1 ] || { echo "sed: -I or -i may not be used with stdin" >&2; exit 1; }
exec $real -i"$$suffix" "$$@"
""",
}

_BECOME = """home=; while IFS=: read -r n x x x x h x; do [ "$$n" = "$$u" ] && home=$$h; done < $root/etc/passwd
[ "$$home" ] || { echo "$me: user $$u does not exist" >&2; exit 1; }
HOME=$root$$home LOGNAME=$$u USER=$$u; export HOME LOGNAME USER
"""

SWITCHES: Mapping[str, str] = {
    "sudo": """u=root
while :; do case $$1 in
 -u) u=$$2; shift 2;; -u*) u=$${1#-u}; shift;; -i|-H|-n|-E|-S|-iu|-Hu) case $$1 in *u) u=$$2; shift;; esac; shift;;
 --) shift; break;; -*) echo "sudo: $$1: not in the rehearsal" >&2; exit 64;; *) break;;
esac; done
"""
    + _BECOME.replace("$me", "sudo")
    + '[ $$# -gt 0 ] || set -- /bin/sh\nexec "$$@"\n',
    "su": """u=root; c=
while [ $$# -gt 0 ]; do case $$1 in
 -c) c=$$2; shift 2;; -s) shift 2;; -|-l|-m|-p) in=$$1; shift;; -*) echo "su: $$1: not in the rehearsal" >&2; exit 64;;
 *) u=$$1; shift;;
esac; done
"""
    + _BECOME.replace("$me", "su")
    + 'case $${in-} in -|-l) cd "$$HOME";; esac\n[ "$$c" ] && exec /bin/sh -c "$$c"\nexec /bin/sh\n',
    "runuser": """u=root; c=
while [ $$# -gt 0 ]; do case $$1 in
 -u) u=$$2; shift 2;; -c) c=$$2; shift 2;; -|-l) shift;; --) shift; break;;
 -*) echo "runuser: $$1: not in the rehearsal" >&2; exit 64;; *) [ "$$u" = root ] && u=$$1 && shift || break;;
esac; done
"""
    + _BECOME.replace("$me", "runuser")
    + '[ "$$c" ] && exec /bin/sh -c "$$c"\nexec "$$@"\n',
}
