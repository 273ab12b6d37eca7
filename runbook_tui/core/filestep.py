"""File steps: what the new content is, the diff, and the POSIX sh that reads, writes and restores the file."""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass

from runbook_tui.core.errors import Refused
from runbook_tui.core.model import FileChange, FileMode

LARGEST_FILE = 1 << 20
"""Bytes: what is read back to be shown as a diff; larger files are refused, not guessed at."""

EXIT_CHANGED, EXIT_FAILED, EXIT_INVALID = 75, 73, 65
"""What the scripts end with: the file is not as it was shown; it could not be written; `validate` said no."""

_SAY = "say() { printf '%s\\n' \"$*\"; }\n"


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file as it is on its host now. `sum` is `CRC LENGTH` of cksum(1), or `absent`.

    `path` is where a symbolic link led to. `perms`, `uid`, `gid` are as `ls -n` prints them.
    """

    path: str
    sum: str
    content: bytes = b""
    perms: str = ""
    uid: str = ""
    gid: str = ""

    @property
    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.sum != "absent"


def climbs(path: str) -> bool:
    """Whether a path has `..` in it: where it leads is then not what it says."""
    return ".." in path.split("/")


def shell_path(path: str) -> str:
    """Quote a path for sh; a leading `~/` is the login's home.

    Raises:
        Refused: it climbs.
    """
    if climbs(path):
        raise Refused(f"{path} climbs out of its folder with ..")
    if path.startswith("~/"):
        return '"$HOME"/' + shlex.quote(path[2:])
    return shlex.quote(path)


def backup_folder(run: str, attempt: str) -> str:
    """Give the folder, as sh text, in which an attempt keeps the file as it was (MIGRATION.md, transport rules)."""
    return f'"$HOME"/mailrunbook/{shlex.quote(run)}/{shlex.quote(attempt)}'


def read_script(path: str) -> str:
    """Give the read-only script whose answer `parse_seen` understands."""
    return f"""\
f={shell_path(path)}
if [ -L "$f" ]; then f=$(readlink -f "$f") || exit 1; fi
if [ -d "$f" ]; then echo "MRB directory"; exit 0; fi
if [ ! -e "$f" ]; then
  d=$(dirname "$f")
  if [ ! -d "$d" ]; then echo "MRB nofolder $d"; elif [ -x "$d" ]; then echo "MRB absent $f"; else echo "MRB closed"; fi
  exit 0
fi
if [ ! -r "$f" ]; then echo "MRB unreadable"; exit 0; fi
set -- $(cksum <"$f")
if [ "$2" -gt {LARGEST_FILE} ]; then echo "MRB large $2"; exit 0; fi
sum="$1 $2"
set -- $(ls -ldn "$f")
echo "MRB file $sum $1 $3 $4 $f"
cat "$f"
"""


def parse_seen(answer: bytes, path: str) -> FileSeen:
    """Understand what `read_script` printed.

    Raises:
        Refused: the path is a directory, its folder is missing, or the file cannot be read or shown.
    """
    head, _, content = answer.partition(b"\n")
    words = head.decode("utf-8", "replace").split(" ", 6)
    match words[:2]:
        case ["MRB", "absent"]:
            return FileSeen(path=" ".join(words[2:]), sum="absent")
        case ["MRB", "file"] if len(words) == 7:  # MRB file CRC LENGTH PERMS UID, then GID PATH
            gid, _, real = words[6].partition(" ")
            seen = FileSeen(
                path=real, sum=f"{words[2]} {words[3]}", content=content, perms=words[4], uid=words[5], gid=gid
            )
            if len(content) != int(words[3]):
                raise Refused(f"{path} could not be read whole", hint="Try again; it may be changing just now.")
            return seen
        case ["MRB", "nobackup"]:
            raise Refused("there is no backup of it there", hint="That attempt changed nothing, or the backup is gone.")
        case ["MRB", "directory"]:
            raise Refused(f"{path} is a directory, not a file")
        case ["MRB", "nofolder"]:
            raise Refused(f"the folder of {path} does not exist there", hint="Create it first, with the right owner.")
        case ["MRB", "closed"]:
            raise Refused(f"this user may not look into the folder of {path}")
        case ["MRB", "unreadable"]:
            raise Refused(f"{path} exists, but this user may not read it")
        case ["MRB", "large"]:
            raise Refused(f"{path} is larger than {LARGEST_FILE // 1024} KiB, too large to show what would change")
        case _:
            raise Refused(f"{path} could not be read", answer[:300].decode("utf-8", "replace"))


def new_content(seen: FileSeen, change: FileChange, block: str) -> bytes:
    """Give what the file would contain.

    Raises:
        Refused: `create` on a file that exists, or a `set` block with a line that is no `key = value`.
    """
    old = seen.content.decode("utf-8", "surrogateescape")
    text = block if block.endswith("\n") or not block else block + "\n"
    match change.mode:
        case FileMode.CREATE:
            if seen.exists:
                raise Refused(
                    f"{change.path} exists already, and mode=create never touches an existing file",
                    hint="Settle another mode for it, skip it, or mark it done if it is as it should be.",
                )
            made = text
        case FileMode.REPLACE:
            made = text
        case FileMode.APPEND:
            made = (old if old.endswith("\n") or not old else old + "\n") + text
        case FileMode.SET:
            made = set_keys(old, text)
        case _:
            raise Refused(f"how {change.path} is to be changed is not settled")
    return made.encode("utf-8", "surrogateescape")


_KEY = re.compile(r"([A-Za-z0-9_.\-/]+)[ \t]*=")


def set_keys(old: str, block: str) -> str:
    """Change `key = value` lines in place; a key that is not there is added at the end.

    A line that begins with white space continues the one before it (postconf(5)), so a changed value takes its
    continuation lines along. Of several lines with one key the last is changed: it is the one that counts.

    Raises:
        Refused: a line of the block is neither a comment, nor `key = value`, nor a continuation.
    """
    lines = old.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for key, setting in _settings(block):
        places = [i for i, line in enumerate(lines) if (m := _KEY.match(line)) and m[1] == key]
        if not places:
            lines += setting
            continue
        start = places[-1]
        end = start + 1
        while end < len(lines) and lines[end][:1] in {" ", "\t"} and lines[end].strip():
            end += 1
        lines[start:end] = setting
    return "".join(lines)


def _settings(block: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for number, line in enumerate(block.splitlines(keepends=True), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[:1] in {" ", "\t"} and found:
            found[-1][1].append(line)
        elif match := _KEY.match(line):
            found.append((match[1], [line]))
        else:
            raise Refused(f"mode=set: line {number} of the block is not of the form key = value", line.strip())
    return found


def diff(before: bytes, after: bytes, path: str) -> str:
    """Give a unified diff, or a sentence when nothing would change."""
    if before == after:
        return f"{path} has this content already; nothing would change"
    old, new = (text.decode("utf-8", "backslashreplace").splitlines() for text in (before, after))
    lines = difflib.unified_diff(old, new, f"{path} (now)", f"{path} (then)", lineterm="")
    return "\n".join(lines) or f"{path}: only its line ends would change"


def write_script(change: FileChange, seen: FileSeen, wanted_sum: str, run: str, attempt: str) -> str:
    """Give the script that puts its standard input in the file's place.

    It refuses when the file is not as it was shown, or when a backup of this name is there already, which an undo would
    mix up with this one's. It keeps a backup, writes beside the file and renames, keeps owner and mode (or takes the
    given ones), runs `validate`, and puts the old file back when that fails. One for a secret file has both sums on its
    standard input, and the content after them.
    """
    old_sum, wanted_sum, perm = (
        ("$old", "$new", change.perm or "600") if change.secret else (seen.sum, wanted_sum, change.perm)
    )
    path = shlex.quote(seen.path)
    failed = f'{{ say "$f was not changed"; exit {EXIT_FAILED}; }}'
    lines = [
        _SAY + "umask 077",
        f"f={path}",
        f"b={backup_folder(run, attempt)}",
        f't="$(dirname "$f")"/.mailrunbook-{shlex.quote(attempt)}',
        *(["IFS= read -r old && IFS= read -r new || exit 73"] if change.secret else []),
        _unchanged(old_sum),
        f'mkdir -p "$b" || {{ say "the backup folder $b cannot be made; nothing was changed"; exit {EXIT_FAILED}; }}',
        _no_backup_yet(),
        "trap 'rm -f \"$t\"' EXIT; trap 'exit 143' TERM INT HUP",
        *_keep_old(seen),
        *([f'chmod 600 "$t" || {failed}'] if change.secret else []),
        f'cat >"$t" && [ "$(cksum <"$t")" = "{wanted_sum}" ] || {failed}',
    ]
    if change.owner:
        lines.append(f'chown {shlex.quote(change.owner)} "$t" || {failed}')
    if perm:
        lines.append(f'chmod {shlex.quote(perm)} "$t" || {failed}')
    lines += [f'mv -f "$t" "$f" || {failed}', 'say "wrote $f; as it was before: $b"']
    if change.validate:
        lines += _validate(change.validate, seen)
    if not change.backup:
        lines.append('rm -f "$b/before" "$b/absent"; rmdir "$b" 2>/dev/null; say "backup removed, as backup=no asks"')
    return "\n".join(lines) + "\n"


def _unchanged(wanted: str) -> str:
    return (
        'now=absent; [ ! -e "$f" ] || now=$(cksum <"$f")\n'
        f'[ "$now" = "{wanted}" ] || '
        f'{{ say "$f is not as it was shown; nothing was changed"; exit {EXIT_CHANGED}; }}'
    )


def _no_backup_yet() -> str:
    return (
        'for o in "$b/before" "$b/absent"; do [ ! -e "$o" ] || '
        f'{{ say "$o is there from another run of this name; nothing was changed"; exit {EXIT_FAILED}; }}; done'
    )


def _keep_old(seen: FileSeen) -> list[str]:
    if not seen.exists:
        return [': >"$b/absent" && : >"$t" && chmod 644 "$t" || exit ' + str(EXIT_FAILED)]
    failed = f'{{ say "$f could not be copied to $b; nothing was changed"; exit {EXIT_FAILED}; }}'
    return [f'cp -p "$f" "$b/before" && cp -p "$f" "$t" || {failed}']


def _validate(command: str, seen: FileSeen) -> list[str]:
    back = 'cp -p "$b/before" "$t" && mv -f "$t" "$f"' if seen.exists else 'rm -f "$f"'
    lost = "validate failed with exit status $rc, AND $f COULD NOT BE PUT BACK: the old one is $b/before"
    return [
        f"if sh -c {shlex.quote(command)} </dev/null; then say {shlex.quote('validate: ' + command + ': good')}; else",
        f'  rc=$?; {back} && say "validate failed with exit status $rc; $f is as it was before" || say "{lost}"',
        f"  exit {EXIT_INVALID}",
        "fi",
    ]


def backup_read_script(run: str, attempt: str) -> str:
    """Give the read-only script that prints an attempt's backup in the form `parse_seen` understands."""
    return f"""\
b={backup_folder(run, attempt)}
if [ -f "$b/absent" ]; then echo "MRB absent $b"; exit 0; fi
if [ ! -f "$b/before" ]; then echo "MRB nobackup"; exit 0; fi
echo "MRB file $(cksum <"$b/before") - - - $b/before"
cat "$b/before"
"""


def blind_restore_script(path: str, run: str, made_by: str, attempt: str, *, secret: bool = False) -> str:
    """Give the script that puts a backup back which nobody could look at, whatever is in the file's place now.

    What it replaces is kept beside the backup, but that of a secret file is not.
    """
    failed = f'{{ say "$f was not changed"; exit {EXIT_FAILED}; }}'
    keep = "" if secret else f'[ ! -e "$f" ] || cp -p "$f" "$b/undone" || {failed}\n'
    return f"""\
{_SAY}umask 077
f={shell_path(path)}
if [ -L "$f" ]; then f=$(readlink -f "$f") || exit {EXIT_FAILED}; fi
b={backup_folder(run, made_by)}
t="$(dirname "$f")"/.mailrunbook-{shlex.quote(attempt)}
if [ ! -f "$b/before" ] && [ ! -f "$b/absent" ]; then
say "there is no backup of $f; nothing was changed"; exit {EXIT_FAILED}
fi
trap 'rm -f "$t"' EXIT; trap 'exit 143' TERM INT HUP
{keep}if [ -f "$b/absent" ]; then rm -f "$f" || {failed}
say "$f is gone again, as before"
else cp -p "$b/before" "$t" && mv -f "$t" "$f" || {failed}
say "$f is as it was before"
fi
"""


def restore_script(
    seen: FileSeen, backup: FileSeen, run: str, made_by: str, attempt: str, *, secret: bool = False
) -> str:
    """Give the script that puts the backup of attempt `made_by` back; what it replaces is kept beside it.

    That of a secret file has the sum of what it replaces on its standard input, and keeps none of it.
    """
    lines = [
        _SAY + "umask 077",
        f"f={shlex.quote(seen.path)}",
        f"b={backup_folder(run, made_by)}",
        f't="$(dirname "$f")"/.mailrunbook-{shlex.quote(attempt)}',
        *(["IFS= read -r old || exit 73"] if secret else []),
        _unchanged("$old" if secret else seen.sum),
        "trap 'rm -f \"$t\"' EXIT; trap 'exit 143' TERM INT HUP",
    ]
    failed = f'{{ say "$f was not changed"; exit {EXIT_FAILED}; }}'
    kept = seen.exists and not secret
    if kept:
        lines.append(f'cp -p "$f" "$b/undone" || {failed}')
    where = "; what it replaced: $b/undone" if kept else ""
    if backup.exists:
        lines.append(f'cp -p "$b/before" "$t" && mv -f "$t" "$f" || {failed}')
        lines.append(f'say "$f is as it was before{where}"')
    else:
        lines.append(f'rm -f "$f" || {failed}')
        lines.append(f'say "$f is gone again, as before{where.replace("what it replaced", "what it was")}"')
    return "\n".join(lines) + "\n"
