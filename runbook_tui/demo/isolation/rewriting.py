"""Tier plain: paths of a host in the text of a command become paths of its folder on this machine.

Also run as a program, `python -IS rewriting.py -c TEXT ...`, in the place of the /bin/sh of a host; therefore it
imports the standard library alone. One pass from left to right. What is content stays as it is: here-documents, what
echo, printf and postconf are given, the patterns of grep and sed. What stands after `host:` belongs to the other host
and is rewritten there.
"""

# ruff: noqa: PTH110, PTH112, PTH119, PTH120, PTH123
# (pathlib would double the time this takes to start, and every command waits for it)

import os
import re
import sys

FOLDERS = ("etc", "var", "home", "root", "srv", "tmp", "run", "backup", "usr/local/etc", "usr/local/www")
"""Folders, from the root on, that every host has of its own."""

STANDINS = "run/rehearsal/bin"
"""Where a host's stand-ins are, from its root on."""

ROOT_VARIABLE = "MAILRUNBOOK_HOST_ROOT"
"""The variable of the environment that names the folder of the host which a shell is on."""

OUTSIDE = 126
"""Exit status when a command would write outside the world; a shell's own for what it may not execute."""

_START = r"""(?:^|(?<=[\s"'`(=<>])|(?<=hash:))"""
_PATH = re.compile(
    rf"{_START}/(?P<folder>{'|'.join(FOLDERS)})(?![\w.-])"
    rf"|{_START}/(?:usr/)?(?:local/)?s?bin/(?P<program>[\w.-]+)"
    r"|(?:^|(?<=[\s(=<>]))~(?P<user>[a-z_][\w-]*)(?=[/\s;)]|$)",
    re.MULTILINE,
)
_COMMAND = r"(?:(?<=bin/)|(?<![\w/.-]))"
_CONTENT = re.compile(
    r"""<<-?\s*(?P<quote>['"]?)(?P<end>\w+)(?P=quote)[^\n]*\n(?P<here>.*?)^\t*(?P=end)$"""
    rf"""|{_COMMAND}(?:echo|printf|postconf|sysrc|logger)\b"""
    r"""(?P<said>(?:'[^']*'|"(?:[^"$`]|\$(?!\())*"|[^\n;&|<>'"$`)]|\$(?!\())*)"""
    rf"""|{_COMMAND}(?:[ef]?grep|sed|awk)\b(?:\s+-[\w-]+)*\s+(?P<pattern>'[^']*'|"[^"]*")""",
    re.MULTILINE | re.DOTALL,
)

_ALL, _LAST = "all", "last"
_WRITERS = {
    **dict.fromkeys(("rm", "rmdir", "mkdir", "touch", "tee", "mv", "chmod", "chown", "chgrp", "truncate"), _ALL),
    **dict.fromkeys(("cp", "ln", "install"), _LAST),
}
_BEFORE_COMMAND = frozenset({"sudo", "exec", "then", "do", "else", "if", "while", "!", "command", "env", "nohup"})
_REDIRECTION = re.compile(r">>?\|?\s*(/[^\s;&|)\"'`]+)")
_DEVICE = re.compile(r"/dev/(?:null|zero|full|tty|stdin|stdout|stderr|fd/\d+|pts/\d+)")


def rewrite(text: str, root: str) -> str:
    """Give the text of a command as the host whose folder is `root` must run it here."""
    world = os.path.dirname(root)
    text = brought_home(text, root)
    content = [found.span(found.lastgroup or 0) for found in _CONTENT.finditer(text)]

    def replaced(found: re.Match[str]) -> str:
        start = found.start()
        if text.startswith(world + "/", start) or any(first <= start < last for first, last in content):
            return found[0]
        if found["folder"]:
            return root + found[0]
        if found["program"]:
            standin = f"{root}/{STANDINS}/{found['program']}"
            return standin if os.path.exists(standin) else found[0]
        home = _home(found["user"], root)
        return root + home if home else found[0]

    return _PATH.sub(replaced, text)


def brought_home(text: str, root: str) -> str:
    """Turn paths into another host's folder into paths into this one's.

    They come along when one host sends a command or a path with its own HOME in it to another.
    """
    elsewhere = re.compile(rf"{re.escape(os.path.dirname(root))}/\w+(?=[/\s\"']|$)")
    return elsewhere.sub(lambda found: root if os.path.isdir(found[0] + "/etc") else found[0], text)


def brought_out(value: str, root: str) -> str:
    """Turn a host's own paths in a value that a command printed into paths of this machine, for the shell to use."""
    return _PATH.sub(lambda found: root + found[0] if found["folder"] else found[0], value)


def _home(user: str, root: str) -> str:
    with open(root + "/etc/passwd", encoding="utf-8") as passwd:
        for line in passwd:
            fields = line.split(":")
            if fields[0] == user and len(fields) == 7:
                return fields[5]
    return ""


def written_outside(text: str, root: str) -> str:
    """Give the first path outside `root` that a rewritten command says it writes, empty when it shows none.

    It sees what the text shows, no more: Landlock is what holds where the kernel has it.
    """
    plain = re.sub(r"'[^']*'|\"[^\"]*\"", lambda found: found[0].replace(">", " "), text)
    for target in _REDIRECTION.findall(plain):
        if _is_outside(target, root):
            return str(target)
    for command in re.split(r"[;&|\n(){}`]+", text):
        words = [word.strip("\"'") for word in command.split()]
        while words and (words[0] in _BEFORE_COMMAND or re.match(r"\w+=", words[0])):
            del words[0]
        which = _WRITERS.get(os.path.basename(words[0])) if words else None
        paths = [word for word in words[1:] if not word.startswith("-") and ">" not in word] if which else []
        for path in paths if which == _ALL else paths[-1:]:
            if _is_outside(path, root):
                return path
    return ""


def _is_outside(path: str, root: str) -> bool:
    if not path.startswith("/") or _DEVICE.fullmatch(path):
        return False
    return not (os.path.normpath(path) + "/").startswith(root + "/")


def shell_words(text: str, root: str) -> list[str]:
    """Give the program and arguments that run a command's text on a host."""
    rewritten = rewrite(text, root)
    path = written_outside(rewritten, root)
    if path:
        complaint = "echo \"sh: $1: outside the rehearsal's hosts, not written\" >&2; exit " + str(OUTSIDE)
        return ["/bin/sh", "-c", complaint, "sh", path]
    return ["/bin/sh", "-c", rewritten]


def main(arguments: list[str]) -> None:
    """Become /bin/sh with these arguments, the text after -c rewritten."""
    root = os.environ.get(ROOT_VARIABLE, "")
    if root and len(arguments) > 1 and arguments[0] == "-c":
        words = shell_words(arguments[1], root)
        os.execv(words[0], [*words, *(arguments[2:] if len(words) == 3 else [])])  # noqa: S606
    os.execv("/bin/sh", ["/bin/sh", *arguments])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
