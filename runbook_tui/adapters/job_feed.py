r"""How a value that nobody may see reaches a detached job: through a FIFO in its folder, for POSIX sh.

A place is a folder in the job's: `secret` for the job's standard input, `ask.N` for the Nth question of sudo.

    pipe    the FIFO, 0600, gone once it was opened      claim/  whoever makes it decides: fed, or too late
    fed/    the value is whole and being written         no/     nobody gives one
    text    the process that asks, and what, as it asks it

Beside them `bin/` has a `sudo` that has the real one ask through our askpass helper (PROMISES.md 3.5).

Nothing here waits in an open(2): the reader holds both ends of its FIFO until the value is there, and the value is
claimed only after all of it has come. A cut link therefore gives all of it or nothing. awk carries it, because a
shell without a printf of its own would put it into the arguments of another program.
"""

from __future__ import annotations

import re

SECRET = "secret"  # noqa: S105 -- a folder's name
"""The place of what goes to the job's standard input."""

WAITS = 60
"""Seconds a job waits for its standard input before it is kept from starting."""

ASKS = 900
"""Seconds a question of sudo waits for an answer."""

# `await PLACE TENTHS`: 0 once the value is being written; else it is certain that none will be, or none came in time.
_AWAIT = r"""await() {
i=0
while [ ! -d "$1/fed" ]; do
[ ! -d "$1/no" ] || return 1
if [ -n "$late" ] || [ $i -ge $2 ]; then
! mkdir "$1/claim" 2>/dev/null || return 1
[ $i -lt $(($2+100)) ] || return 1
fi
if sleep 0.1 2>/dev/null; then i=$((i+1)); else sleep 1; i=$((i+10)); fi
done
}
"""

MAKE = f"""{{ mkdir "$j/{SECRET}" && mkfifo "$j/{SECRET}/pipe"; }} 2>/dev/null || drop nospool "$j/{SECRET}" """
DROP = f"""rm -f "$j/{SECRET}/pipe" "$j/bin/askpass" "$j/bin/sudo"
[ ! -d "$j/bin" ] || rmdir "$j/bin"
[ ! -d "$j/{SECRET}" ] || rmdir "$j/{SECRET}"
"""

# A job that is stopped, or kept waiting too long, leaves the fence: it is proved that it did not start.
TAKE = f"""{_AWAIT}late=
trap 'late=1' TERM INT
exec 3<>"$j/{SECRET}/pipe"
await "$j/{SECRET}" {WAITS}0 || {{ mkdir "$j/fence"; exit 1; }}
trap : TERM INT
exec 4<"$j/{SECRET}/pipe" 3>&-
rm -f "$j/{SECRET}/pipe"
"""
"""What the supervisor does before the command; its standard input is then descriptor 4."""

# sudo starts it as the user who asked, with the prompt as its only argument.
_ASKPASS = f"""#!/bin/sh
umask 077
{_AWAIT}late=
j=${{0%/bin/askpass}}; n=1
until mkdir "$j/ask.$n" 2>/dev/null; do
n=$((n+1))
[ $n -le 99 ] || exit 1
done
d=$j/ask.$n
mkfifo "$d/pipe" && exec 3<>"$d/pipe" || exit 1
printf '%s %s\\n' "$PPID" "$1" | head -c 400 >"$d/text.t" && mv "$d/text.t" "$d/text" || exit 1
await "$d" {ASKS}0
r=$?
[ $r -ne 0 ] || exec 4<"$d/pipe"
exec 3>&-
rm -f "$d/pipe"
[ $r -eq 0 ] || exit 1
exec cat <&4
"""

# A password on the standard input, which -S asks for, is the command's own business.
_SHIM = """for a do
case $a in -S|--stdin) exec "$r" "$@" ;; -*) ;; *) break ;; esac
done
exec "$r" -A "$@"
"""

SUDO = f"""case $(command -v sudo) in /*)
r=$(command -v sudo)
{{
mkdir "$j/bin"
cat >"$j/bin/askpass" <<'MRBASK'
{_ASKPASS}MRBASK
{{ echo '#!/bin/sh'; echo "r='$r'"; cat <<'MRBSUDO'
{_SHIM}MRBSUDO
}} >"$j/bin/sudo"
chmod 700 "$j/bin/askpass" "$j/bin/sudo"
}} 2>/dev/null || drop nospool "$j/bin" ;;
esac
"""
"""Puts a sudo of our own into the job's folder, which has the askpass helper beside it; none where there is none."""

SUDO_PATH = """[ ! -x "$j/bin/sudo" ] || {
PATH=$j/bin:$PATH; SUDO_ASKPASS=$j/bin/askpass; export PATH SUDO_ASKPASS
}
"""
"""What the supervisor does before the command so that its sudo is ours."""

SUDO_SAID = """[ $c -eq 0 ] || [ ! -f "$j/bin/sudo" ] || [ -x "$j/bin/sudo" ] ||
echo "mailrunbook: sudo could not ask for a password, for no program may run from $j (is it noexec?)" >>"$j/out"
"""
"""What it does after a command that failed, where the folder's file system let nobody run our sudo."""

# awk ends with the first word that is true; the value goes nowhere before it is known to be whole.
FEED = r"""d=$j/@PLACE@
[ -d "$d" ] || { say fed gone; exit 0; }
set -- $(stand)
case $1 in running|starting) ;; *) say fed gone; exit 0 ;; esac
D=$d; export D
said=$(awk 'NR == 1 { wanted = $0 + 0; next }
{ line[NR] = $0; found += length($0) + 1 }
END {
if (NR < 2 || found != wanted) { print "cut"; exit }
if (system("mkdir \"$D/claim\" 2>/dev/null") != 0) { print "taken"; exit }
pipe = ENVIRON["D"] "/pipe"
printf "" >pipe
system("mkdir \"$D/fed\"")
for (i = 2; i <= NR; i++) print line[i] >pipe
close(pipe)
print "fed"
}')
say fed "${said:-cut}"
"""

REFUSE = r"""d=$j/@PLACE@
if mkdir "$d/claim" 2>/dev/null; then mkdir "$d/no"; say fed refused
elif [ -d "$d" ]; then say fed taken
else say fed gone
fi
"""

# `a` is the last question that was told of.
TELL = r"""while [ -f "$j/ask.$((a+1))/text" ]; do
a=$((a+1))
if [ ! -d "$j/ask.$a/claim" ]; then
echo "A $a $(($(wc -c <"$j/ask.$a/text")))"
cat "$j/ask.$a/text"
fi
done
"""


def payload(value: bytes) -> bytes:
    """Give what FEED reads: the length, then the value, which always ends with a line end.

    Raises:
        ValueError: it contains a NUL, which no awk carries.
    """
    if b"\0" in value:
        raise ValueError("it contains a NUL character")
    whole = value if value.endswith(b"\n") else value + b"\n"
    return b"%d\n" % len(whole) + whole


def check_place(place: str) -> str:
    """Give the place when it is one.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(rf"{SECRET}|ask\.[1-9][0-9]?", place):
        raise ValueError(f"{place!r} is no place for a value")
    return place
