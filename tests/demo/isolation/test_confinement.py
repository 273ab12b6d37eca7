"""A command sees its host, works there as it would in life, and can write nowhere else."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.host import Tier
from runbook_tui.demo.isolation import landlock
from tests.demo.isolation.places import PLACES, Place, happen

if TYPE_CHECKING:
    from collections.abc import Iterator

everywhere = pytest.mark.parametrize("place", PLACES, ids=str)


@pytest.fixture
def probe_folder() -> Iterator[Path]:
    """A folder of the machine, outside every world, that anybody may write."""
    with tempfile.TemporaryDirectory(prefix="mrbprobe", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "precious").write_text("precious", encoding="utf-8")
        (folder / "precious").chmod(0o666)
        yield folder


@everywhere
def test_a_command_sees_its_host(place: Place) -> None:
    """Files, home and stand-ins are the host's own, by their names in life."""
    texts = (
        "cat /etc/motd",
        "echo made > /etc/made; cat /etc/made",
        "cd ~plop && ls -d .. > /dev/null && touch here && test -f /home/plop/here && echo same",
        "/usr/local/sbin/postconf -n; /usr/sbin/postconf 'a=/etc/b'; postconf -e c=/etc/d",
        "ls -d /usr/local/etc/postfix > /dev/null && echo there",
        "echo $LOGNAME; cd / && cd && test -f ../etc/motd && echo home",
        "cat <<EOF > /home/plop/written\nalias_maps = /etc/aliases\nEOF\ncat /home/plop/written",
    )
    seen = happen(place, "commands", *texts)
    assert [row[0] for row in seen] == [0] * len(texts), seen
    assert [row[1].split("\n")[:-1] for row in seen] == [
        ["this is old"], ["made"], ["same"], ["stand-in -n", "stand-in a=/etc/b", "stand-in -e c=/etc/d"], ["there"],
        ["root", "home"], ["alias_maps = /etc/aliases"],
    ]  # fmt: skip


@everywhere
def test_each_host_is_its_own(place: Place) -> None:
    """The same name leads to another file on another host, and a user has their own home."""
    assert happen(place, "as_user", "new", "plop", "cat /etc/motd; cd ~; touch x; ls /home/plop; echo $USER") == [
        0, "this is new\nx\nplop\n", "",
    ]  # fmt: skip


@everywhere
def test_a_stray_command_writes_nowhere_else(place: Place, probe_folder: Path) -> None:
    """Whatever a command tries to write, remove or link outside its host, the machine stays as it was."""
    there = str(probe_folder)
    marker = f"mrb-stray-{os.getpid()}-{place}"
    texts = (
        f"touch {there}/new", f"rm -rf {there}", f"echo x > {there}/precious", f": > {there}/precious",
        f"d={there}; rm -rf $d/precious", f"d={there}; echo x > $d/other", f"d={there}; ln -s /x $d/link",
        f"d={there}; mv $d/precious $HOME/", f"touch ../../../../../../tmp/{marker}",
        f"p=/usr/local; touch $p/{marker}",
        f"p=/usr/share; mkdir $p/{marker}", f"p=/dev; touch $p/{marker}", f"p=/proc/1/root/tmp; touch $p/{marker}",
        f"d={there}; truncate -s 0 $d/precious", f"d={there}; : > $d/precious",
    )  # fmt: skip
    happen(place, "commands", *texts)
    assert sorted(path.name for path in probe_folder.iterdir()) == ["precious"]
    assert (probe_folder / "precious").read_text(encoding="utf-8") == "precious"
    left = [folder for folder in ("/tmp", "/usr/local", "/usr/share", "/dev") if Path(folder, marker).exists()]
    assert left == []


@everywhere
def test_the_kernel_s_settings_cannot_be_written(place: Place) -> None:
    """Neither /proc/sys nor a mount flag can be changed, also not by root."""
    name = "/proc/sys/kernel/core_pattern"
    before = Path(name).read_text(encoding="utf-8")
    texts = (f"n={name}; echo mine > $n", "mount -o remount,rw /proc", "mount -o remount,rw /usr")
    seen = happen(place, "commands", *texts)
    assert [row[0] for row in seen if row[0] == 0] == []
    assert Path(name).read_text(encoding="utf-8") == before


@everywhere
def test_a_stray_kill_stays_inside(place: Place) -> None:
    """A process of the machine gets no signal from a host, where the kernel can keep it."""
    if place.tier is Tier.PLAIN and landlock.version() < landlock.SCOPES_SIGNALS:
        pytest.skip("this kernel's Landlock scopes no signals")
    mine = os.getpid()
    (row,) = happen(place, "commands", f"kill -0 {mine} 2>/dev/null; echo $?")
    assert row[1].strip() != "0"


def test_outside_writes_are_named_in_tier_plain() -> None:
    """A command that shows that it writes outside is not run, and says which path it was."""
    (row,) = happen(Place(Tier.PLAIN, is_nobody=False), "commands", "echo before; touch /usr/local/x")
    assert (row[0], row[1]) == (126, "")
    assert "/usr/local/x: outside the rehearsal" in row[2]


@pytest.mark.parametrize("place", [place for place in PLACES if place.tier is Tier.NS], ids=str)
def test_a_host_is_a_machine_of_its_own(place: Place) -> None:
    """In tier ns uname gives the host's name, ps shows no process of the machine, and root may not mount or leave."""
    seen = happen(place, "commands", "uname -n", "ps -A -o comm= | wc -l", "cat /proc/1/comm", "cat /proc/self/status")
    assert seen[0][1] == "old\n"
    assert int(seen[1][1]) < 12
    assert seen[2][1].startswith("python")
    (capabilities,) = (line.split()[1] for line in seen[3][1].splitlines() if line.startswith("CapEff:"))
    assert int(capabilities, 16) == 0x4FF


@everywhere
def test_cron_runs_in_the_host_too(place: Place) -> None:
    """A command without SSH runs in the user's home on the host, and its status comes back."""
    assert happen(place, "cron_runs") == [5, "this is old\nplop\n"]
