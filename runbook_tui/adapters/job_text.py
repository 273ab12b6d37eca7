r"""The programs that start, find and follow a detached job on a host, for POSIX sh with nothing installed there.

A job is a folder `jobs/ID` in the state folder of the user over there, 0700 (PROMISES.md 3.2):

    cmd   the script, checked for length and POSIX checksum     in    its standard input, if it has one
    go/   the commit point: whoever makes it decides            fence/ it will never start
    meta  boot id, process group, pid of its supervisor         out   what it says, merged
    boot  boot id as it was sent                                rc    exit status and length of `out`
    secret/, ask.N/, bin/   for values that nobody may see: `job_feed`

`rc` and `meta` get room before the start, which a full disk cannot take from them.

Beside them are `run-MARK` for every run that was here, and `lock-BOOK/owner` while a run of that runbook holds the
host (PROMISES.md 3.7): `MARK OPERATOR@WORKSTATION SINCE`. `taken-BOOK` has a line for each lock that was taken over.

The supervisor `run` outlives the connection. A program answers with the job's stand in words; `follow` then sends
what `out` has from an offset on, in frames: `D OFFSET LENGTH\n` and that many bytes, `H SIZE\n` while nothing
comes, `A NUMBER LENGTH\n` and that many bytes for a question of sudo, `W space KIB MOUNT\n` while a disk is nearly
full, `W orphan\n` once nobody is left to record the job's end, and last `X STAND\n`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.adapters import job_feed
from runbook_tui.adapters.stub import SCRIPT_LIMIT, Call, make_call
from runbook_tui.core.cksum import cksum

if TYPE_CHECKING:
    from runbook_tui.ports import Claim, JobId, Owner

ROOT = "S=${MAILRUNBOOK_STATE_DIR:-$HOME/.local/state/mailrunbook}/jobs\n"
"""Where jobs, marks and locks are; on the operator's own machine that is beside the runs."""

# A process is the supervisor only when its arguments name the job: a number that was given out again is not it.
# The command runs only once `meta` is there: a supervisor that is gone before that will never write one.
# A group whose leader died keeps its number until its last process ends, so a living leader that is not ours tells
# that the number was given out again.
_JOB = (
    "set -u\numask 077\n"
    + ROOT
    + r"""j=$S/@ID@
bootid() {
if [ -r /proc/sys/kernel/random/boot_id ]; then read -r b </proc/sys/kernel/random/boot_id; echo "$b"
else b=$(sysctl -n kern.boottime 2>/dev/null | sed 's/.* sec = \([0-9]*\).*/\1/'); echo "${b:--}"
fi
}
args() { ps -ww -o args= -p "$1" 2>/dev/null; }
alive() { case "$(args "$1")" in *"/@ID@/run"*) return 0 ;; esac; return 1; }
left() {
if [ "$1" = "$2" ] && [ -n "$(ps -o stat= -p "$1" 2>/dev/null | grep -v '^Z')" ]; then echo 0
else ps -A -o pgid= -o stat= | awk -v g="$1" '$1 == g && $2 !~ /^Z/ { n++ } END { print n + 0 }'
fi
}
ended() { [ -f "$j/rc" ] && read -r c n e x <"$j/rc" && [ "$x" = . ] && echo "done $c $n $pg $((e-since))"; }
begun() {
if ps -A -ww -o args= 2>/dev/null | grep -q "[/]@ID@/run"; then echo starting
elif [ "$(cat "$j/boot" 2>/dev/null)" != "$(bootid)" ]; then echo rebooted
elif [ -n "$(find "$j/go" -prune -mmin +1 2>/dev/null)" ]; then echo vanished
else echo starting
fi
}
stand() {
pg=0; since=0
if [ ! -d "$j" ]; then
if [ -f "$S/run-@RUN@" ]; then echo absent; else echo amnesia; fi
return
fi
[ -f "$j/meta" ] && read -r boot pg pid since <"$j/meta" && [ -n "$since" ] || { pg=0; since=0; }
ended && return
if [ -d "$j/fence" ]; then echo fenced; return; fi
if [ "$pg" = 0 ]; then
if [ -d "$j/go" ]; then begun; else echo claimed; fi
return
fi
if alive "$pid"; then echo "running $pg"; return; fi
ended && return
if [ "$boot" != "$(bootid)" ]; then echo rebooted; return; fi
n=$(left "$pg" "$pid")
ended && return
if [ "$n" -gt 0 ]; then echo "orphan $pg $n"; else echo vanished; fi
}
"""
)

# What another program, or a full disk, left in the owner's file is never anything but plain words in an answer. The
# name lies ready before the lock is made, so that a lock without one is as rare as a kill between two system calls.
_LOCK = r"""L=$S/lock-@BOOK@; n=$S/own-@NONCE@
owner() {
o=; w=; t=
[ ! -f "$L/owner" ] || { read -r o w t <"$L/owner"; } 2>/dev/null || :
case "$o$w$t" in *[!A-Za-z0-9._@:-]*) o=damaged; w=; t= ;; esac
}
mine() { [ "$o" = "@RUN@" ] && [ "${w##*@}" = "@AT@" ]; }
name() {
[ -f "$n" ] || { echo "@RUN@ @WHO@ @SINCE@" >"$n"; } 2>/dev/null || { rm -f "$n"; say nospool "$S"; exit 90; }
}
lock() {
i=0
while owner; [ -z "$o" ] && [ $i -lt 20 ]; do
name
if mkdir "$L" 2>/dev/null; then mv -f "$n" "$L/owner" 2>/dev/null
elif sleep 0.1 2>/dev/null; then i=$((i+1)); else sleep 1; i=$((i+10)); fi
done
[ ! -f "$n" ] || rm -f "$n"
}
"""

# The lock may have been taken over, or given up, since this run claimed it.
_HOLD = r"""[ -d "$j" ] || { lock; mine || { say held "$o $w $t"; exit 96; }; }
"""

# The room for the exit status and the group is taken before the start: a disk that the job fills would lose them. What
# writes the status down ignores a second TERM, which an operator may send and a dying ksh does; ksh also counts a
# signal as 256 and more, which no other sh does.
_START = r"""won=
mkdir -p "$S" 2>/dev/null && : >>"$S/run-@RUN@" || { say nospool "$S"; exit 90; }
cd "$HOME" 2>/dev/null || { say nohome "$HOME"; exit 93; }
@HOLD@
if mkdir "$j" 2>/dev/null; then
drop() {
rm -f "$j/cmd" "$j/in" "$j/out" "$j/boot" "$j/rc.t" "$j/meta.t" "$j/run"
@DROPFED@
rmdir "$j"; say "$1" "$2"; exit 92
}
{ @READ@ >"$j/cmd"; } 2>/dev/null || drop nospool "$j"
@READIN@
set -- $(cksum <"$j/cmd")
[ "$1 $2" = "@SUM@" ] || drop truncated "$2 bytes"
@CHECKIN@
room=$(printf %96s .)
{ : >"$j/out" && bootid >"$j/boot" && echo "$room" >"$j/rc.t" && echo "$room" >"$j/meta.t"; } 2>/dev/null ||
drop nospool "$j"
@MAKEFED@
@SUDO@
cat >"$j/run" <<'MRBEND' || drop nospool "$j"
j=$1; b=$2; pid=$$
trap : TERM INT HUP
@GROUP@
echo "$b $(group) $pid $(date +%s)" | dd of="$j/meta.t" conv=notrunc 2>/dev/null && mv "$j/meta.t" "$j/meta" || exit 1
@TAKEFED@
@PATH@
@SH@ "$j/cmd" <@INPUT@ >>"$j/out" 2>&1
c=$?
@SAID@
trap '' TERM INT HUP
[ $c -lt 256 ] || c=$((128+c%128))
echo "$c $(($(wc -c <"$j/out"))) $(date +%s) ." | dd of="$j/rc.t" conv=notrunc 2>/dev/null && mv "$j/rc.t" "$j/rc"
MRBEND
if mkdir "$j/go" 2>/dev/null; then
won=1
if command -v setsid >/dev/null 2>&1; then setsid @SH@ "$j/run" "$j" "$(bootid)" </dev/null >/dev/null 2>&1 &
else @SH@ "$j/run" "$j" "$(bootid)" </dev/null >/dev/null 2>&1 &
fi
i=0
until [ -f "$j/meta" ] || [ ! -d "$j/go" ] || [ $i -ge 100 ]; do i=$((i+1)); sleep 0.02 2>/dev/null || sleep 1; done
elif [ ! -d "$j/go" ]; then drop nospool "$j"
fi
fi
"""

# The stand is taken before the size: what was written before the end is never left out. A job that was started just now
# and whose folder is gone already may have removed it itself: that it did not run would be wrong.
_FOLLOW = (
    r"""off=@OFF@; k=0; q=0; a=0; w=
low() {
df -Pk "$j" /var 2>/dev/null |
awk 'NR > 1 && $4 ~ /^-?[0-9]+$/ && $4 < 65536 && length($6) < 90 { print "W space", $4, $6; exit }'
}
s=$(stand)
if [ "${won:-}" ]; then case $s in claimed|absent|amnesia) s=vanished ;; esac; fi
say started "$s"
while :; do
"""
    + job_feed.TELL
    + r"""n=0
[ ! -f "$j/out" ] || n=$(($(wc -c <"$j/out")))
set -- $s
if [ "$1" = done ]; then [ "$n" -le "$3" ] || n=$3; fi
if [ "$1$w" = orphan ]; then echo "W orphan"; w=1; fi
if [ "$n" -gt "$off" ]; then
c=$((n-off)); [ "$c" -le 262144 ] || c=262144
echo "D $off $c"
tail -c +$((off+1)) "$j/out" | head -c "$c"
off=$((off+c)); k=0
else
case $1 in running|starting|orphan) ;; *) echo "X $s"; exit 0 ;; esac
k=$((k+1))
case $k in 1|2|3) p=0.01 ;; 4|5|6) p=0.04 ;; 7|8|9|10|11|12) p=0.1 ;; *) p=0.2 ;; esac
sleep $p 2>/dev/null || sleep 1
[ $((k%25)) -ne 0 ] || echo "H $n"
fi
[ $((q%25)) -ne 5 ] || low
q=$((q+1))
if [ -f "$j/rc" ] || [ -d "$j/fence" ] || [ $((q%8)) -eq 0 ] || [ "$1" = starting ]; then s=$(stand); fi
done
"""
)

# Later, a job's folder that is missing proves that it did not run only where the run has left its mark. A ps that
# shows nothing of one process would tell every job as gone.
_MARK = r"""[ -n "$(args $$)" ] || { say missing "ps -ww -o args= -p PID"; exit 95; }
mkdir -p "$S" 2>/dev/null && : >>"$S/run-@RUN@" || { say nospool "$S"; exit 90; }
"""
_MARKED = "say stand claimed\n"

_CLAIM = r"""lock
say owner "$o $w $t"
"""

_TAKE_OVER = r"""owner
if [ "$o $w $t" = "@OVER@" ]; then
name
{ echo "@SINCE@ @WHO@ (@RUN@) took the lock over from ${w:-a run without a name} (${o:-?}), its own since ${t:-?}" \
>>"$S/taken-@BOOK@"; } 2>/dev/null || { rm -f "$n"; say nospool "$S"; exit 90; }
{ mkdir -p "$L" && mv -f "$n" "$L/owner"; } 2>/dev/null
fi
"""

# It is moved away before it is looked at again: whoever took it over in between gets it back.
_RELEASE = r"""owner
if mine && mv "$L" "$L.@NONCE@" 2>/dev/null; then
h=$L; L=$L.@NONCE@; owner
if ! mine && mkdir "$h" 2>/dev/null; then mv -f "$L/owner" "$h/owner" 2>/dev/null; o=; fi
rm -f "$L/owner"; rmdir "$L" 2>/dev/null
if mine; then say released yes; else say released no; fi
else say released no
fi
"""

# A host that does not even know the run may have lost the job's folder: that it did not run is not provable there.
_FENCE = r"""if [ -d "$j" ] || [ -f "$S/run-@RUN@" ]; then
mkdir -p "$j" 2>/dev/null || { say nospool "$j"; exit 90; }
[ -f "$j/meta" ] || ! mkdir "$j/go" 2>/dev/null || mkdir "$j/fence"
fi
say stand "$(stand)"
"""

# KILL ends a sudo before it can pass it on, and what it started is another user's, whom the login may not signal: then
# sudo is to send it, where it asks nobody.
_SIGNAL = r"""s=$(stand)
set -- $s
gone() {
i=0
while n=$(left "$1" 0); [ "$n" -gt 0 ] && [ $i -lt 20 ]; do
if sleep 0.1 2>/dev/null; then i=$((i+1)); else sleep 1; i=$((i+10)); fi
done
[ "$n" -eq 0 ]
}
others() {
ps -A -o pgid= -o uid= -o stat= |
awk -v g="$1" -v u="$(id -u)" '$1 == g && $2 != u && $3 !~ /^Z/ { n++ } END { print n + 0 }'
}
case $1 in
running|orphan)
g=$2
[ "$(group)" != "$g" ] || { say refused; exit 94; }
kill -@SIGNAL@ "-$g"
if ! gone "$g" && [ "$(id -u)" != 0 ] && [ "$(others "$g")" -gt 0 ]; then
sudo -n /bin/sh -c "kill -@SIGNAL@ -$g" </dev/null >/dev/null 2>&1 && gone "$g"
fi
say alive "$n" ;;
*) say alive 0 ;;
esac
"""

# The mark goes first: a host that knows the run but not the job would prove that it never ran. Only names that a job
# makes are removed, and rc last, so that a clean-up that broke off can be taken up.
_CLEAN = r"""set -- $(stand)
case $1 in
absent|amnesia) say cleaned gone; exit 0 ;;
running|starting|orphan) say cleaned runs; exit 0 ;;
fenced|claimed) say cleaned fence; exit 0 ;;
esac
if [ -h "$j" ]; then say cleaned left; exit 0; fi
rm -f "$S/run-@RUN@"
for d in "$j/secret" "$j"/ask.[0-9] "$j"/ask.[0-9][0-9]; do
[ -d "$d" ] && [ ! -h "$d" ] || continue
rm -f "$d/pipe" "$d/text" "$d/text.t"
for e in fed no claim; do [ ! -d "$d/$e" ] || rmdir "$d/$e" 2>/dev/null; done
rmdir "$d" 2>/dev/null
done
if [ -d "$j/bin" ] && [ ! -h "$j/bin" ]; then rm -f "$j/bin/askpass" "$j/bin/sudo"; rmdir "$j/bin" 2>/dev/null; fi
rm -f "$j/cmd" "$j/in" "$j/out" "$j/rc.t" "$j/meta.t" "$j/run"
k=$(ls -A "$j" | grep -cvx -e go -e meta -e boot -e rc)
if [ "$k" -ne 0 ]; then say cleaned left; exit 0; fi
rmdir "$j/go" 2>/dev/null
rm -f "$j/meta" "$j/boot" "$j/rc"
if rmdir "$j" 2>/dev/null; then say cleaned removed; else say cleaned left; fi
"""

_GROUP = r"""group() {
if read -r s 2>/dev/null </proc/$$/stat; then set -- ${s##*\)}; echo "$3"
else set -- $(ps -o pgid= -p $$ 2>/dev/null); echo "$1"; fi
}"""


def launch_call(
    job: JobId, script: str, stdin: bytes | None = None, *, fed: bool = False, sudo: bool = False, sh: str = "/bin/sh"
) -> Call:
    """Make the call that starts the job, once however often it is sent, and follows it from its first byte.

    With `fed` its standard input comes by a `feed_call`; with `sudo` a sudo in it asks by `A` frames.

    Raises:
        ValueError: the script is longer than SCRIPT_LIMIT bytes or contains a NUL.
    """
    data = script.encode()
    if len(data) > SCRIPT_LIMIT:
        raise ValueError(f"the command is {len(data)} bytes long; more than {SCRIPT_LIMIT} cannot be sent")
    if b"\0" in data:
        raise ValueError("the command contains a NUL character")
    fields = {"READ": "cat", "READIN": "", "CHECKIN": "", "INPUT": "/dev/null"}
    if stdin is not None:
        fields = {
            "READ": f"dd bs=1 count={len(data)}",
            "READIN": '{ cat >"$j/in"; } 2>/dev/null || drop nospool "$j"',
            "CHECKIN": f'[ "$(cksum <"$j/in")" = "{cksum(stdin)}" ] || drop truncated "its input"',
            "INPUT": '"$j/in"',
        }
    fields |= {"MAKEFED": "", "DROPFED": "", "TAKEFED": "", "SUDO": "", "PATH": "", "SAID": ""}
    if fed:
        fields |= {"MAKEFED": job_feed.MAKE, "TAKEFED": job_feed.TAKE, "INPUT": "&4 4<&-"}
    if sudo:
        fields |= {"SUDO": job_feed.SUDO, "PATH": job_feed.SUDO_PATH, "SAID": job_feed.SUDO_SAID}
    if fed or sudo:
        fields |= {"DROPFED": job_feed.DROP}
    fields |= {"SUM": cksum(data), "GROUP": _GROUP, "OFF": "0", "HOLD": ""}
    if job.claim is not None:
        fields |= {"HOLD": _LOCK + _HOLD, **_claim_fields(job.claim)}
    return _call(job, _START + _FOLLOW, fields, sh, data + (stdin or b""))


def follow_call(job: JobId, offset: int, *, sh: str = "/bin/sh") -> Call:
    """Make the call that sends what the job said from this byte on, until it ends."""
    return _call(job, _FOLLOW, {"OFF": str(offset)}, sh)


def feed_call(job: JobId, place: str, value: bytes, *, sh: str = "/bin/sh") -> Call:
    """Make the call that gives the job a value, on this call's standard input: whole, once, or not at all.

    Raises:
        ValueError: the value has a NUL in it.
    """
    return _call(job, job_feed.FEED, {"PLACE": job_feed.check_place(place)}, sh, job_feed.payload(value))


def refuse_call(job: JobId, place: str, *, sh: str = "/bin/sh") -> Call:
    """Make the call after which the job no longer waits for that value."""
    return _call(job, job_feed.REFUSE, {"PLACE": job_feed.check_place(place)}, sh)


def claim_call(job: JobId, over: Owner | None = None, *, sh: str = "/bin/sh") -> Call:
    """Make the call that leaves the run's mark on the host and takes its lock, from `over` if it is still the one."""
    if job.claim is None:
        return _call(job, _MARK + _MARKED, {}, sh)
    if over is None:
        return _call(job, _LOCK + _MARK + _CLAIM, _claim_fields(job.claim), sh)
    fields = {"OVER": _words(over), **_claim_fields(job.claim)}
    return _call(job, _LOCK + _MARK + _TAKE_OVER + _CLAIM, fields, sh)


def release_call(job: JobId, *, sh: str = "/bin/sh") -> Call:
    """Make the call that gives the run's lock back, if it has it.

    Raises:
        ValueError: the job has no claim.
    """
    if job.claim is None:
        raise ValueError("there is no lock to give back")
    return _call(job, _LOCK + _RELEASE, _claim_fields(job.claim), sh)


def fence_call(job: JobId, *, sh: str = "/bin/sh") -> Call:
    """Make the call after which a job that has not started never will."""
    return _call(job, _FENCE, {}, sh)


def clean_call(job: JobId, *, sh: str = "/bin/sh") -> Call:
    """Make the call that removes the folder of a job that has ended, and the mark of its run."""
    return _call(job, _CLEAN, {}, sh)


def end_call(job: JobId, signal: str, *, sh: str = "/bin/sh") -> Call:
    """Make the call that signals the job's processes, if they are proved to be its own, and counts who lives on.

    Raises:
        ValueError: the signal is not TERM or KILL.
    """
    if signal not in {"TERM", "KILL"}:
        raise ValueError(f"signal {signal} is not sent to a process group")
    return _call(job, _SIGNAL, {"SIGNAL": signal}, sh)


def _claim_fields(claim: Claim) -> dict[str, str]:
    if not re.fullmatch(r"[0-9a-f]{16}", claim.book):
        raise ValueError(f"{claim.book!r} cannot name a lock")
    words = _words(claim.owner).split(" ")
    if not all(words):
        raise ValueError(f"{claim.owner} cannot own a lock")
    run, who, since = words
    return {"BOOK": claim.book, "WHO": who, "SINCE": since, "AT": who.rpartition("@")[2], "RUN": run}


def _words(owner: Owner) -> str:
    words = (owner.run, owner.who, owner.since)
    if not all(re.fullmatch(r"[A-Za-z0-9._@:-]*", word, re.ASCII) for word in words):
        raise ValueError(f"{owner} cannot own a lock")
    return " ".join(words)


def _call(job: JobId, template: str, fields: dict[str, str], sh: str, data: bytes = b"") -> Call:
    for name in (job.run, job.attempt):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name, re.ASCII):
            raise ValueError(f"{name!r} cannot name a job")
    return make_call(_JOB + template, {**fields, "ID": job.attempt, "RUN": job.run, "SH": sh}, data, sh)
