"""Whatever ends a rehearsal, and whenever, no process is left and the folder goes, at the latest at the next start."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.errors import RehearsalError
from runbook_tui.demo.folder import make_folder, remove_stale
from runbook_tui.demo.host import Tier
from runbook_tui.demo.supervisor import supervise
from tests.demo.isolation.places import PLACES, Place, skip_if_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found in /proc")
DEADLINE = 30.0


@dataclass(slots=True)
class Rehearsal:
    """A supervisor that runs, and everything that comes from it, known by a mark in the environment."""

    process: subprocess.Popen[bytes]
    mark: str
    temp: Path
    heard: str = ""

    def hear(self, text: str) -> str:
        """Wait until it has said something, and give all it said; what follows a wanted text is kept."""
        assert self.process.stdout
        deadline = time.monotonic() + DEADLINE
        while text not in self.heard:
            ready, _, _ = select.select([self.process.stdout], (), (), deadline - time.monotonic())
            data = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            assert data, f"never said {text!r}: {self.heard}"
            self.heard += data.decode()
        return self.heard

    def answer(self, text: str) -> None:
        """Type something."""
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def processes(self) -> dict[int, str]:
        """Give every living process of it by its number: `supervisor`, `world`, `app` or `other`."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if self.mark.encode() not in (entry / "environ").read_bytes():
                    continue
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                role = words[words.index("tests.demo.supervised") + 1] if "tests.demo.supervised" in words else "other"
                found[int(entry.name)] = role
        return found

    def find(self, role: str) -> list[int]:
        """Give the processes of a role, oldest first."""
        return sorted(number for number, has in self.processes().items() if has == role)

    def is_over(self) -> bool:
        """Whether nothing of it lives."""
        self.process.poll()
        return not self.processes()

    def folders(self) -> list[Path]:
        """Give the folders that are left, but for empty ones of which nobody can know whose they were."""
        return [path for path in self.temp.glob("mrb-*") if list(path.iterdir())]

    def ends(self) -> int:
        """Close its input, wait for its end, give its status."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(DEADLINE)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        select.select((), (), (), 0.01)


@pytest.fixture
def start() -> Iterator[Callable[..., Rehearsal]]:
    """Start rehearsals, each with a folder for temporary files of its own; end and remove all of them afterwards."""
    started: list[Rehearsal] = []

    def start_one(
        place: Place, world: str = "good", app: str = "waits", tier: str = "", terminal: int = subprocess.PIPE
    ) -> Rehearsal:
        skip_if_missing(place)
        temp = Path(tempfile.mkdtemp(prefix="mrbt", dir="/tmp"))
        temp.chmod(0o777)
        mark = f"MARK_OF_TEST={uuid.uuid4()}"
        name, _, value = mark.partition("=")
        process = subprocess.Popen(
            place.command("tests.demo.supervised", "supervisor", tier or place.tier, world, app), cwd="/",
            env=place.environment() | {name: value, "TMPDIR": str(temp)}, start_new_session=True,
            stdin=terminal, stdout=terminal, stderr=subprocess.STDOUT,
        )  # fmt: skip
        started.append(Rehearsal(process, mark, temp))
        return started[-1]

    yield start_one
    for one in started:
        for number in one.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        one.process.wait()
        for stream in (one.process.stdin, one.process.stdout):
            if stream:
                stream.close()
        shutil.rmtree(one.temp, ignore_errors=True)


everywhere = pytest.mark.parametrize("place", PLACES, ids=str)
mine = pytest.mark.parametrize("place", [place for place in PLACES if not place.is_nobody], ids=str)


@everywhere
def test_the_app_s_end_ends_all(start: Callable[..., Rehearsal], place: Place) -> None:
    """The status is the app's, no process is left, not even a stubborn one, and the folder is removed."""
    rehearsal = start(place, app="ends")
    assert rehearsal.ends() == 5
    assert rehearsal.is_over()
    assert rehearsal.folders() == []


@everywhere
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["TERM", "HUP"]
)  # fmt: skip
def test_a_signal_to_the_supervisor_ends_all(
    start: Callable[..., Rehearsal], place: Place, number: signal.Signals, status: int
) -> None:
    """TERM and HUP end world and app in order."""
    rehearsal = start(place)
    rehearsal.hear("app up first")
    rehearsal.process.send_signal(number)
    assert rehearsal.ends() == status
    assert rehearsal.is_over()
    assert rehearsal.folders() == []


@everywhere
@pytest.mark.parametrize("victim", ["supervisor", "world", "app", "between", "first"])
def test_a_kill_leaves_nothing(start: Callable[..., Rehearsal], place: Place, victim: str) -> None:
    """SIGKILL of any of the processes leaves no other; a folder that is left goes at the next start."""
    if place.tier is Tier.PLAIN and victim in {"between", "first"}:
        pytest.skip("tier plain has a single supervisor")
    rehearsal = start(place)
    rehearsal.hear("app up first")
    supervisors = rehearsal.find("supervisor")
    order = {"supervisor": 0, "between": 1, "first": 2}
    number = supervisors[order[victim]] if victim in order else rehearsal.find(victim)[0]
    os.kill(number, signal.SIGKILL)
    status = rehearsal.ends()
    until(rehearsal.is_over)
    if victim == "supervisor":
        assert len(rehearsal.folders()) == 1
        remove_stale([rehearsal.temp]) if not place.is_nobody else start_again(place, rehearsal)
    else:
        assert status == (70 if victim == "world" else 137)
    assert rehearsal.folders() == []


def start_again(place: Place, rehearsal: Rehearsal) -> None:
    """Have the same user start once more with the same folder for temporary files."""
    code = "from runbook_tui.demo.folder import *; remove_stale(candidates())"
    command = [word if word != "-m" else "-c" for word in place.command(code)]
    subprocess.run(command, env=place.environment() | {"TMPDIR": str(rehearsal.temp)}, cwd="/", check=True)


@mine
@pytest.mark.parametrize("seed", range(6))
def test_a_kill_at_any_moment_leaves_nothing(start: Callable[..., Rehearsal], place: Place, seed: int) -> None:
    """At a random moment of the start a random process is killed, and nothing of it all is left."""
    chance = random.Random(seed)
    rehearsal = start(place)
    select.select((), (), (), chance.uniform(0.02, 0.8))
    victims = sorted(rehearsal.processes())
    if victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(victims), signal.SIGKILL)
    select.select((), (), (), 0.1)
    if rehearsal.process.poll() is None:
        rehearsal.process.terminate()
    rehearsal.ends()
    until(rehearsal.is_over)
    remove_stale([rehearsal.temp])
    assert rehearsal.folders() == []


@mine
def test_a_killed_app_is_opened_again_against_the_same_world(start: Callable[..., Rehearsal], place: Place) -> None:
    """The supervisor says what happened and offers to open the run again; Enter does."""
    rehearsal = start(place)
    rehearsal.hear("app up first")
    (world,) = rehearsal.find("world")
    os.kill(rehearsal.find("app")[0], signal.SIGKILL)
    assert "The app was ended by SIGKILL." in rehearsal.hear("q ends the rehearsal.")
    assert rehearsal.find("world") == [world]
    until(lambda: len(rehearsal.find("other")) == 2)  # the world's stubborn shell and its sleep, and no more the app's
    rehearsal.answer("\n")
    rehearsal.hear("app up again")
    assert rehearsal.ends() == 0
    assert rehearsal.is_over()


@mine
def test_the_operator_can_let_it_be(start: Callable[..., Rehearsal], place: Place) -> None:
    """After a kill of the app, q ends all with the signal's status."""
    rehearsal = start(place)
    rehearsal.hear("app up first")
    os.kill(rehearsal.find("app")[0], signal.SIGKILL)
    rehearsal.hear("q ends the rehearsal.")
    rehearsal.answer("q\n")
    assert rehearsal.process.wait(DEADLINE) == 137
    assert rehearsal.is_over()


@mine
def test_ctrl_c_before_the_app_ends_all(start: Callable[..., Rehearsal], place: Place) -> None:
    """While the world starts, Ctrl-C ends the rehearsal with 130."""
    rehearsal = start(place, world="slow")
    rehearsal.hear("folder")
    until(lambda: bool(rehearsal.find("world")))
    os.killpg(rehearsal.process.pid, signal.SIGINT)
    assert rehearsal.ends() == 130
    assert rehearsal.is_over()
    assert rehearsal.folders() == []


@mine
def test_ctrl_c_belongs_to_the_app(start: Callable[..., Rehearsal], place: Place) -> None:
    """While the app runs, Ctrl-C is the app's to handle; the world does not even hear it."""
    rehearsal = start(place, app="deaf")
    rehearsal.hear("app up first")
    until(lambda: len(rehearsal.find("app")) == 1)
    os.killpg(rehearsal.process.pid, signal.SIGINT)
    rehearsal.hear("app heard Ctrl-C")
    assert rehearsal.process.poll() is None
    assert os.getpgid(rehearsal.find("world")[0]) != rehearsal.process.pid
    rehearsal.process.terminate()
    assert rehearsal.ends() == 143


@mine
@pytest.mark.parametrize(
    ("world", "status", "words"),
    [
        ("refuses", 4, "The world cannot be.\nIt is full."),
        ("crashes", 4, "The rehearsal's world did not start.\nValueError: crashed on purpose"),
        ("dies", 70, "The rehearsal's world has ended by itself."),
    ],
)
def test_a_world_that_fails_is_a_sentence(
    start: Callable[..., Rehearsal], place: Place, world: str, status: int, words: str
) -> None:
    """What the world says is passed on, and of a crash the last line, never a traceback."""
    rehearsal = start(place, world=world)
    said = rehearsal.hear(words)
    assert rehearsal.ends() == status
    assert "Traceback" not in said
    assert rehearsal.is_over()
    assert rehearsal.folders() == []


def test_the_tier_is_said_in_one_line(start: Callable[..., Rehearsal]) -> None:
    """The first thing said is the tier and why."""
    rehearsal = start(Place(Tier.PLAIN, is_nobody=False), app="ends")
    first = rehearsal.hear("app up").splitlines()[0]
    assert first.startswith("Tier plain (it was asked for)")
    rehearsal.ends()


def test_without_namespaces_plain_is_taken(start: Callable[..., Rehearsal]) -> None:
    """Where no namespaces are to be had, auto takes plain and says why, and ns is refused with exit 4."""
    place = Place(Tier.PLAIN, is_nobody=False)
    skip_if_missing(Place(Tier.NS, is_nobody=False))
    for tier, words, status in (("auto", "Tier plain (", 5), ("ns", "Tier ns cannot be had on this machine.", 4)):
        with no_new_namespaces():
            rehearsal = start(place, app="ends", tier=tier)
        assert words in rehearsal.hear("Tier").splitlines()[0]
        assert rehearsal.ends() == status


@contextlib.contextmanager
def no_new_namespaces() -> Iterator[None]:
    """Have what is started meanwhile run in a user namespace that allows no other below it."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare(1) to forbid namespaces with")
    forbidding = ["unshare", "--user", "--map-root-user", "/bin/sh", "-c"]
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    original = Place.command

    def command(self: Place, module: str, *arguments: str) -> list[str]:
        return [*forbidding, script, "sh", *original(self, module, *arguments)]

    Place.command = command  # type: ignore[method-assign]
    try:
        yield
    finally:
        Place.command = original  # type: ignore[method-assign]


@mine
def test_the_terminal_is_given_back_after_a_kill(place: Place, start: Callable[..., Rehearsal]) -> None:
    """An app that was killed while it had the terminal raw leaves it as it was, on its normal screen."""
    master, slave = pty.openpty()
    try:
        before = termios.tcgetattr(slave)
        rehearsal = start(place, app="raw", terminal=slave)
        shown = b""
        while b"app up first" not in shown:
            shown += os.read(master, 4096)
        until(lambda: termios.tcgetattr(slave) != before)
        os.kill(rehearsal.find("app")[0], signal.SIGKILL)
        while b"q ends the rehearsal." not in shown:
            shown += os.read(master, 4096)
        assert termios.tcgetattr(slave) == before
        assert b"\x1b[?1049l" in shown
        os.write(master, b"q\n")
        assert rehearsal.process.wait(DEADLINE) == 137
    finally:
        os.close(master)
        os.close(slave)


def test_a_python_without_tls_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started when this Python was built without OpenSSL."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "_ssl" else pytest.fail(name))
    with pytest.raises(RehearsalError, match="This Python has no TLS"):
        supervise(lambda folder, tier: [str(folder), tier], lambda folder, *, again: [str(folder), str(again)])


def test_a_living_world_s_folder_is_never_removed(tmp_path: Path) -> None:
    """A folder that is held stays, whoever starts meanwhile; let go of without being removed, it goes."""
    short = Path(tempfile.mkdtemp(prefix="mrbt", dir="/tmp"))
    try:
        held = make_folder([short])
        (held.path / "closed").mkdir(0o000)
        (held.path / "away").symlink_to(tmp_path)
        (tmp_path / "precious").touch()
        tmp_path.chmod(0o755)
        assert remove_stale([short]) == 0
        assert held.path.is_dir()
        os.close(held.lock)
        assert remove_stale([short]) == 1
        assert list(short.iterdir()) == []
        assert (tmp_path / "precious").exists()
        assert tmp_path.stat().st_mode & 0o777 == 0o755
    finally:
        shutil.rmtree(short)


def test_other_folders_of_that_name_are_left_alone() -> None:
    """A folder without a lock is nobody's rehearsal, nor is a link to one."""
    short = Path(tempfile.mkdtemp(prefix="mrbt", dir="/tmp"))
    try:
        (short / "mrb-mine").mkdir()
        (short / "mrb-mine" / "file").touch()
        (short / "mrb-link").symlink_to(short / "mrb-mine")
        assert remove_stale([short]) == 0
        assert sorted(path.name for path in short.iterdir()) == ["mrb-link", "mrb-mine"]
    finally:
        shutil.rmtree(short)


def test_no_place_is_a_sentence_with_reasons(tmp_path: Path) -> None:
    """A long path, a missing folder and a full one are named, each with its reason."""
    code = (
        "import sys; from pathlib import Path; from runbook_tui.demo.folder import make_folder\n"
        "from runbook_tui.demo.errors import RehearsalError\n"
        "try: make_folder([Path(p) for p in sys.argv[1:]])\n"
        "except RehearsalError as error: print(error)"
    )
    places = [str(tmp_path / ("x" * 80)), "/nowhere", "/proc"]
    done = subprocess.run([sys.executable, "-c", code, *places], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "There is no place for the rehearsal's folder."
    assert "too long for a socket" in lines[1]
    assert lines[2] == "/nowhere: No such file or directory"
    assert lines[3].startswith("/proc: ")
