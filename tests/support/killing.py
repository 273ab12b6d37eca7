"""Kills the program, or its session on the host, at random instants while steps run that each append one line."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.support.talk import Talk, finished

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Night

PATIENCE = 120.0


def book(steps: int, name: str) -> str:
    """A runbook of so many steps for `old`, each of which appends one line of its own to one file."""
    front = "---\nrunbook:\n  version: 1\n  hosts:\n    old: {ssh: old.test}\n---\n"
    return f"{front}# Counted {name}\n\n## Phase\n\n" + "".join(
        f"### Step {n} <!-- step: #s{n} -->\n\n``` sh {{.run host=old}}\n"
        f"echo s{n} >> ~/effects; i=0\nwhile [ $i -lt 5 ]; do i=$((i+1)); echo line $i; sleep 0.02; done\n```\n\n"
        for n in range(1, steps + 1)
    )


class Killed:
    """One run that is killed again and again, and what came of it."""

    def __init__(self, night: Night, name: str, steps: int, seed: int) -> None:
        self.night = night
        self.name = name
        self.steps = steps
        self.chance = random.Random(seed)
        self.kills = 0
        self.sessions = 0
        self.text = night.state.parent / f"{name}.md"
        self.text.write_text(book(steps, name))
        self.told = {f"s{n}": "todo" for n in range(1, steps + 1)}

    @property
    def effects(self) -> Counter[str]:
        """How often each step ran."""
        file = self.night.old.home / "effects"
        return Counter(file.read_text().split()) if file.exists() else Counter()

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.night.state / "runs" / self.name

    def records(self) -> list[dict[str, object]]:
        """The journal as it is; a torn last line is none."""
        file = self.folder / "events.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().split("\n")[:-1]]

    def talk(self) -> Talk:
        """Begin the run, or go on with it."""
        begun = (self.folder / "events.jsonl").exists()
        words = ("resume", self.name) if begun else ("run", str(self.text), "--run-id", self.name)
        return Talk(*words, "--plain", state=self.night.state, more=self.night.variables)

    def round(self) -> None:
        """One sitting: agree, do step after step, kill the session once or more, then the program, each at random."""
        verb = "retry" if self.current() == "not-run" else "confirm"
        with self.talk() as talk:
            talk.say("yes", verb, "yes", *(["confirm", "yes"] * self.steps))
            # Much is only to be met after a start; a slow machine would hardly ever get there by the clock.
            begun = "(found|running) on old|settled;|not understood"
            if wanted := self.chance.choice(["", f"asks: type yes to run it|{begun}", begun, begun]):
                talk.hear(wanted)
            time.sleep(self.chance.uniform(0, 0.6))
            for _ in range(self.chance.randrange(3)):
                self.sessions += self.night.old.kill_sessions()
                time.sleep(self.chance.uniform(0, 0.5))
            if talk.process.poll() is None:
                os.kill(talk.process.pid, signal.SIGKILL)
                self.kills += 1
        self.look()

    def current(self) -> str:
        """The state of the first step that is not done."""
        return next((state for state in self.told.values() if state != "done"), "done")

    def look(self) -> None:
        """Take how each step stands, as `status` says from the journal alone."""
        if (self.folder / "events.jsonl").exists():
            said = finished("status", self.name, "--json", state=self.night.state, timeout=PATIENCE).stdout
            self.told = {step["id"]: step["state"] for step in json.loads(said)["steps"]}

    def ended(self) -> Counter[str]:
        """How the attempts of the whole run ended, by the words of the journal."""
        told: Counter[str] = Counter()
        for record in self.records():
            match record:
                case {"type": "finished", "outcome": outcome}:
                    told[f"ended {outcome}"] += 1
                case {"type": "reconciled", "state": state}:
                    told[f"reconciled: {state}"] += 1
                case {"type": "lost"}:
                    told["unknown"] += 1
        return told
