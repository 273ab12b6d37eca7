"""The text that makes any login shell start /bin/sh on a script that is known to have arrived whole.

What is sent is one command line and, on standard input, a program for the far side followed by the script. The
line is understood alike by sh, bash, tcsh and fish: no newline, `!`, single quote or backslash in it. It reads
exactly the program with `dd bs=1`, which never reads too far, and evaluates nothing of it before its length is
right. The program then checks the script's length and POSIX checksum before it runs one byte of it: a cut
connection would otherwise run a truncated line (PROMISES.md fact 4).

Answers are lines `MRB WORD NONCE TEXT`; the nonce keeps a banner or a profile's output from being taken for one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from runbook_tui.core.cksum import cksum

SCRIPT_LIMIT = 100_000
"""Bytes of a script. It becomes one argument of exec, for which Linux allows 131,071."""

NOISE_LIMIT = 65_536
"""Bytes kept of what a login shell says before the answer; older ones are dropped."""


class Answer(StrEnum):
    """What the far side says. All but the first three mean that nothing of the script ran."""

    STARTED = "started"  # text: the process group
    ALIVE = "alive"  # text: how many processes of the group live
    IDENTITY = "identity"  # text: for `who_answers`
    TRUNCATED = "truncated"
    NO_PROGRAM = "noprog"
    NO_GROUP = "nogroup"
    NO_HOME = "nohome"  # text: the folder
    MISSING = "missing"  # text: the tool
    REFUSED = "refused"
    NO_SPOOL = "nospool"  # text: the folder
    STAND = "stand"  # text: how a job stands
    FED = "fed"  # text: what became of a value
    OWNER = "owner"  # text: who has the lock
    RELEASED = "released"  # text: yes or no
    CLEANED = "cleaned"  # text: what became of a job's folder
    HELD = "held"  # text: who has the lock, which is not this run


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `line` is for a login shell, `payload` for its standard input, which then ends."""

    line: str
    payload: bytes
    nonce: str


@dataclass(frozen=True, slots=True)
class Said:
    """An answer; `rest` are the bytes that followed its line."""

    answer: Answer
    text: str
    rest: bytes = b""


@dataclass(slots=True)
class AnswerReader:
    """Finds the answer in what a channel delivers; what comes before it is noise of the login shell."""

    nonce: str
    _before: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Said | None:
        """Take bytes of standard output; give the answer once its line is complete."""
        self._before += data
        words = b"|".join(answer.value.encode() for answer in Answer)
        found = re.search(rb"MRB (%b) %b(?: ([^\n]*))?\n" % (words, self.nonce.encode()), self._before)
        if found is None:
            del self._before[:-NOISE_LIMIT]
            return None
        text = (found[2] or b"").decode("utf-8", "backslashreplace")
        said = Said(Answer(found[1].decode()), text, bytes(self._before[found.end() :]))
        del self._before[found.start() :]
        return said

    @property
    def noise(self) -> str:
        """What came before the answer, or all there is when none came."""
        return self._before.decode("utf-8", "backslashreplace")


# The program's own output must stay in order with the script's, hence 2>&1 before all else. `say` puts an answer
# together, so that the program's text itself, sent back by a forced `cat`, is none. For the process group, proc(5) on
# Linux spares the process that ps(1) would be.
_ENVIRONMENT = r"""exec 2>&1
LC_ALL=C; export LC_ALL
for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
case ":$PATH:" in *":$d:"*) ;; *) PATH=${PATH:+$PATH:}$d;; esac
done
export PATH
say() { echo "MRB $1 @NONCE@ $2"; }
group() {
if read -r s 2>/dev/null </proc/$$/stat; then set -- ${s##*\)}; echo "$3"
else set -- $(ps -o pgid= -p $$ 2>/dev/null); echo "$1"; fi
}
"""

# $( ) drops trailing newlines, so a dot is read behind the script and taken off again.
_RUN = r"""script=$(@READ@; echo .)
script=${script%.}
set -- $(printf %s "$script" | cksum)
[ "$1 $2" = "@SUM@" ] || { say truncated "$2 bytes"; exit 92; }
g=$(group)
[ "${g:-0}" -gt 1 ] || { say nogroup; exit 93; }
cd "$HOME" 2>/dev/null || { say nohome "$HOME"; exit 93; }
say started "$g"
exec @SH@ -c "$script" sh@INPUT@
"""

# A zombie is dead but still listed until its parent asks after it.
_SIGNAL = r"""members() {
ps -A -o pgid= -o stat= | awk -v g=@PGID@ '$1 == g && $2 !~ /^Z/ { n++ } END { print n + 0 }'
}
[ "$(group)" != @PGID@ ] || { say refused; exit 94; }
kill -@SIGNAL@ -@PGID@
i=0
while n=$(members); [ "$n" -gt 0 ] && [ $i -lt 20 ]; do
if sleep 0.1 2>/dev/null; then i=$((i+1)); else sleep 1; i=$((i+10)); fi
done
say alive "$n"
"""

_IDENTITY = r"""for t in dd cksum ps awk id uname printf; do
command -v $t >/dev/null 2>&1 || { say missing "$t"; exit 95; }
done
[ -d "$HOME" ] || { say nohome "$HOME"; exit 93; }
say identity "$(id -un) $(uname -n) $(uname -s) $(grep '^ID=' /etc/os-release 2>/dev/null)"
"""


def run_call(script: str, stdin: bytes | None = None, *, sh: str = "/bin/sh") -> Call:
    """Make the call that runs `script` from HOME with its output merged.

    Its standard input is /dev/null, or `stdin`. `sh` is what runs program and script; others than /bin/sh are
    for rehearsals and tests.

    Raises:
        ValueError: the script is longer than SCRIPT_LIMIT bytes or contains a NUL.
    """
    data = script.encode()
    if len(data) > SCRIPT_LIMIT:
        raise ValueError(f"the command is {len(data)} bytes long; more than {SCRIPT_LIMIT} cannot be sent")
    if b"\0" in data:
        raise ValueError("the command contains a NUL character")
    # Only when data follows must the reading stop at the script's last byte; `cat` is far faster.
    read = "cat" if stdin is None else f"dd bs=1 count={len(data)} 2>/dev/null"
    fields = {"READ": read, "SUM": cksum(data), "SH": sh, "INPUT": " </dev/null" if stdin is None else ""}
    return make_call(_RUN, fields, data + (stdin or b""), sh)


def signal_call(pgid: int, signal: str, *, sh: str = "/bin/sh") -> Call:
    """Make the call that signals a process group, and counts who of it lives up to two seconds later.

    Raises:
        ValueError: the signal is not TERM or KILL, or the group is one that never is a job's.
    """
    if signal not in {"TERM", "KILL"}:
        raise ValueError(f"signal {signal} is not sent to a process group")
    if pgid <= 1:
        raise ValueError(f"process group {pgid} is not signalled")
    return make_call(_SIGNAL, {"PGID": str(pgid), "SIGNAL": signal}, b"", sh)


def identity_call(*, sh: str = "/bin/sh") -> Call:
    """Make the call that asks who and where we are on what system, and whether the tools we lean on are there."""
    return make_call(_IDENTITY, {}, b"", sh)


def who_answers(text: str) -> tuple[str, str, str]:
    """Give user, host name and system of an identity answer.

    The system is one word: what `uname -s` says, on Linux the `ID` of os-release(5), in lower case.
    """
    user, name, kernel, release, *_ = [*text.split(), "", "", "", ""]
    distribution = release.removeprefix("ID=").strip("\"'")
    return user, name, (distribution if kernel == "Linux" and distribution else kernel).lower()


def make_call(template: str, fields: dict[str, str], data: bytes, sh: str) -> Call:
    """Make the call of a program; `@NAME@` in it stands for a field, `data` follows it on its standard input."""
    nonce = secrets.token_hex(8)
    program = _ENVIRONMENT + template
    for name, value in {**fields, "NONCE": nonce}.items():
        program = program.replace(f"@{name}@", value)
    text = program.rstrip("\n").encode("ascii")
    # `exec` replaces the login shell, so that a signal that ends the script is reported as one.
    line = (
        f"exec {sh} -c 'LC_ALL=C; p=$(dd bs=1 count={len(text)} 2>/dev/null); "
        f'[ ${{#p}} -eq {len(text)} ] || {{ echo MRB noprog {nonce}; exit 97; }}; eval "$p"\''
    )
    return Call(line, text + data, nonce)
