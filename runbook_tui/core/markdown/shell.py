"""What shell text looks like: its logical lines, and whether a line reads as a command, a setting or a sentence."""

from __future__ import annotations

import re
from enum import StrEnum

from runbook_tui.core.markdown.values import word_set

KNOWN = word_set("""
    a2dismod a2dissite a2enmod a2ensite adduser addgroup ansible ansible-playbook apk apt apt-get aptitude aws awk az
    b2sum base64 bash brew bundle cargo cat certbot chgrp chmod chown chroot chsh clear cmp composer consul cp createdb
    createuser cryptsetup curl cut date dd deluser df diff dig dmesg dnf doas docker docker-compose dovecot doveadm
    doveconf dpkg dpkg-reconfigure dropdb du echo etcdctl exim exim4 export fail2ban-client fallocate fdisk fetchmail
    find firewall-cmd flyctl freebsd-update fsck gcloud gem gh git glab go gpg grep groupadd gsutil gunzip gzip
    head helm htpasswd id ifconfig imapsync install invoke-rc.d ip ip6tables iptables java journalctl jq kill killall
    kubectl ldapsearch ln locale-gen localectl ls lsblk lsof make makemap mkdir mkfs.ext4 mkswap mktemp mount mv mysql
    mysqladmin mysqldump newaliases nft nginx nmap nodetool npm nslookup oc opendkim-genkey openssl pacman passwd patch
    pct pg_basebackup pg_ctl pg_ctlcluster pg_dump pg_dumpall pg_restore ping pip pip3 pipx pkg pkg_add pkill pm2
    postalias postcat postconf postfix postmap postmulti postqueue postsuper printf psql puppet pw python python3
    rabbitmqctl rake rcctl redis-cli restorecon rm rmdir rndc rpm rsync ruby runuser sa-learn sa-update scp screen sed
    semanage sendmail service setfacl setsebool sftp sh sha256sum sha512sum shutdown skopeo sleep snap sort source
    spamassassin ss ssh ssh-add ssh-copy-id ssh-keygen ssh-keyscan stat stty su sudo supervisorctl svn swaks swapoff
    swapon sync sysctl sysrc systemctl tail tar tcpdump tee telnet terraform timedatectl touch traceroute true tune2fs
    ufw umask umount uname unlink unzip update-ca-certificates update-rc.d useradd userdel usermod uv vagrant vault
    visudo wc wget which whoami xargs yarn yum zcat zfs zip zpool zypper apachectl apache2ctl amavisd-new hostnamectl
    mailq sievec spamc spamd rspamadm rspamc crontab nc ncat netstat ps pgrep reboot hostname nohup env eval exec cd
    pwd test tree watch yes unbound-control knotc named-checkconf named-checkzone nsupdate dnssec-keygen bin/rails
    rails php wp node npx pnpm poetry systemd-analyze virsh qm lvcreate lvextend vgcreate pvcreate mdadm logrotate
    """)  # fmt: skip
"""Programs whose name alone makes a line a command."""

CONTROL = word_set("if for while until case function set unset return exit")
_WRAPPERS = frozenset({"sudo", "doas", "time", "nohup", "env", "exec", "command"})
INTERACTIVE = word_set(
    "vi vim nano emacs ed pico joe mcedit ee top htop less more man mutt mc tmux screen irb ftp sftp telnet watch"
)
EDITORS = word_set("vi vim nano emacs ed pico joe mcedit ee gedit sudoedit $editor")

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_OPENS = re.compile(r"(?:^|[;&|(]\s*|\b(?:then|do|else)\s+)(if|for|while|until|case)\b")
_CLOSES = re.compile(r"(?:^|[;&|]\s*|\s)(fi|done|esac)\b(?=\s*(?:$|[;&|)<>]))")
_ASSIGN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=(?:\"[^\"]*\"|'[^']*'|\$\([^)]*\)|[^\s\"']*)(?=\s|;|$)")
_FUNCTION = re.compile(r"(?:function\s+)?[A-Za-z_][\w-]*\s*\(\)\s*\{?|function\s+\w")
_SETTING = re.compile(r"[A-Za-z_][\w.-]*(?:\[[\w'\"-]*\])?\s+=(?!=)\s*\S?|[\w.-]+\s*:=|[A-Za-z_][\w.-]*=\s*$")
_COLON = re.compile(r"[\"']?[A-Za-z_][\w. -]*[\"']?\s*:(?:\s|$)")
_SECTION = re.compile(r"\[[\w .:\"/-]+\]\s*$")
_TAG = re.compile(r"</?[A-Za-z!?]")
_SENTENCE = re.compile(r"[A-Z][a-z']+(?:[ ,]+[\w'`/(),-]+){2,}[.:!?]?\s*$")
_OPTION = re.compile(r"\s--?[A-Za-z]")
_ONLY_WORDS = re.compile(r"[A-Za-z,' ]+[.:]?")
_PROGRAM = re.compile(r"[a-z_][\w.+-]*|(?:\./|~/|/|\$HOME/|\$\{?\w+\}?/)[\w./+${}-]+|\"?\$\{?\w+\}?\"?")


class Shape(StrEnum):
    """What one logical line reads as."""

    COMMAND = "command"
    ASSIGNMENT = "assignment"
    UNCERTAIN = "uncertain"
    INTERACTIVE = "interactive"
    COMMENT = "comment"
    SETTING = "setting"
    SENTENCE = "sentence"


def logical_lines(text: str) -> tuple[str, ...]:
    """Give what a shell would take as one command each: continuations, quotes, heredocs and blocks together.

    Blank lines and lines that are only a comment are left out.
    """
    found: list[str] = []
    part: list[str] = []
    quote, depth, heredocs = "", 0, list[str]()
    for line in text.split("\n"):
        if heredocs:
            part.append(line)
            if line.strip() == heredocs[0]:
                heredocs.pop(0)
        else:
            if not part and (not line.strip() or line.lstrip().startswith("#")):
                continue
            part.append(line)
            quote, bare = _scan(line, quote)
            if not quote:
                heredocs += [m.group(2) for m in _HEREDOC.finditer(line) if "<<<" not in line]
                depth += len(_OPENS.findall(bare)) - len(_CLOSES.findall(bare))
                depth += bare.count("{ ") + bare.endswith("{") - (bare.strip() in {"}", "};"}) - bare.count("; }")
                depth = max(depth, 0)
            if quote or depth or heredocs or _goes_on(bare):
                continue
        if not heredocs and not quote and not depth:
            found.append("\n".join(part).strip())
            part = []
    if part:
        found.append("\n".join(part).strip())
    return tuple(found)


def _scan(line: str, quote: str) -> tuple[str, str]:
    """Give the quote that is open after the line, and the line without what stands in quotes and comments."""
    bare: list[str] = []
    at = 0
    while at < len(line):
        char = line[at]
        if char == "\\" and quote != "'":
            bare.append(line[at : at + 2] if not quote else "")
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "#" and (at == 0 or line[at - 1].isspace()):
            break
        else:
            bare.append(char)
        at += 1
    return quote, "".join(bare).rstrip() if not line.endswith("\\") else "".join(bare)


def _goes_on(bare: str) -> bool:
    return bare.endswith(("\\", "|", "&&")) and not bare.endswith("\\\\")


def program(line: str) -> str:
    """Give the first word that is a program: after assignments and wrappers such as sudo."""
    rest = line.strip()
    while True:
        assigned = _ASSIGN.match(rest)
        if assigned is not None and assigned.end() < len(rest) and not rest[assigned.end() :].lstrip().startswith(";"):
            rest = rest[assigned.end() :].lstrip()
            continue
        words = rest.split(None, 2)
        if len(words) < 2 or words[0] not in _WRAPPERS or words[1] in {"-i", "-s", "su"}:
            return words[0].rstrip(";") if words else ""
        rest = rest[len(words[0]) :].lstrip()
        while rest.startswith("-"):
            option, _, rest = rest.partition(" ")
            if option in {"-u", "-g", "-U", "-n"} and option != "-n":
                rest = rest.lstrip().partition(" ")[2]
            rest = rest.lstrip()


def shape(line: str) -> Shape:
    """Say what a logical line reads as, by its first physical line."""
    first = line.strip().split("\n", 1)[0].strip()[:2000]
    if not first or first.startswith("#"):
        return Shape.COMMENT
    name = program(first)
    if is_interactive(first):
        return Shape.INTERACTIVE
    if _looks_like_setting(first, name):
        return Shape.SETTING
    if _is_sentence(first, name):
        return Shape.SENTENCE
    assigned = _ASSIGN.match(first)
    if assigned is not None and assigned.end() >= len(first.rstrip(" ;")):
        return Shape.ASSIGNMENT
    if name in {"export", "alias"}:
        return Shape.ASSIGNMENT
    if name in KNOWN:
        return Shape.COMMAND
    if first[0] in "{(!" and not _FUNCTION.match(first):
        inside = program(first.lstrip("{(! "))
        return Shape.COMMAND if inside in KNOWN or inside in CONTROL else Shape.UNCERTAIN
    if name in CONTROL or _FUNCTION.match(first):
        return Shape.COMMAND if name != "set" or re.match(r"set\s+[-+]", first) else Shape.SETTING
    if name.rpartition("/")[2] in KNOWN or re.match(r"(\./|~/|/)[\w./+-]*(s?bin/|\.sh\b)", name):
        return Shape.COMMAND
    return Shape.UNCERTAIN if _PROGRAM.fullmatch(name) else Shape.SENTENCE


def _is_sentence(first: str, name: str) -> bool:
    """Whether the line is prose: `make` and `file` begin commands and sentences alike."""
    if name not in KNOWN:
        return _SENTENCE.match(first) is not None
    return len(first.split()) > 4 and _ONLY_WORDS.fullmatch(first) is not None


def has_option(line: str) -> bool:
    """Whether an unknown program is at least given an option."""
    return "." not in program(line) and _OPTION.search(line) is not None


def _looks_like_setting(first: str, name: str) -> bool:
    if _SETTING.match(first) or _SECTION.match(first) or _TAG.match(first):
        return True
    if _COLON.match(first) and not first.startswith(": "):
        return True
    if first.endswith("{") and not _FUNCTION.match(first) and name not in {"if", "while", "for", "{"}:
        return True
    return first in {"}", "};", "],", "]", "},"} or first.endswith((";;", "},"))


def is_interactive(line: str) -> bool:
    """Whether the command takes over the terminal, so that it can only be run by hand."""
    name = program(line)
    words = line.split()
    if name.rpartition("/")[2] in INTERACTIVE or name.lower() == "$editor" or name == "visudo":
        return "-c" not in words[1:] or name not in {"vi", "vim"}
    match name:
        case "docker" | "podman" | "kubectl" | "k" | "oc":
            return "debug" in words or bool({"-it", "-ti"} & set(words)) or {"-i", "-t"} <= set(words)
        case "gcloud":
            return "ssh" in words and not any(w.startswith("--command") for w in words)
        case "crontab":
            return "-e" in words
        case "openssl":
            return "s_client" in words and "|" not in words and "<" not in line
        case "mysql" | "psql" | "redis-cli":
            flags = {"-e", "-c", "-f", "--execute", "--command"}
            piped = "<" in line or "|" in words
            return not piped and not any(w in flags or w.startswith(("-e", "--execute=", "--command=")) for w in words)
        case "su":
            return "-c" not in words and not any(w.startswith("--command") for w in words)
        case "sudo":
            return words[1:2] in (["-i"], ["-s"], ["su"])
        case "passwd" | "ssh":
            return _is_login(name, words)
        case _:
            return False


def _is_login(name: str, words: list[str]) -> bool:
    at = words.index(name) + 1 if name in words else 1
    if name == "passwd":
        return not any(w.startswith("-") for w in words[at:])
    takes_value = {"-i", "-p", "-l", "-o", "-F", "-J", "-L", "-R", "-D"}
    plain = 0
    skip = False
    for word in words[at:]:
        if skip:
            skip = False
        elif word in takes_value:
            skip = True
        elif not word.startswith("-"):
            plain += 1
    return plain < 2 and not any(w in {"-N", "-f", "-fN"} for w in words)


def edited_file(line: str) -> str:
    """Give the path an editor is opened on; empty when the line opens none."""
    words = line.split()
    name = program(line)
    if name.lower() not in EDITORS or name not in words:
        return ""
    rest = [w for w in words[words.index(name) + 1 :] if not w.startswith(("-", "+"))]
    return rest[0] if len(rest) == 1 and re.match(r"[~/$]", rest[0]) else ""
