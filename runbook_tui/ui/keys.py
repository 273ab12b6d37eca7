"""The one table of keys: bindings, footer, help and command palette are made from it (ARCHITECTURE.md, "Keys")."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding

from runbook_tui.core.run import Verb


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the main screen. `id` is what keymaps use; `footer` ranks it there, 0 keeps it out."""

    id: str
    key: str
    shown: str
    label: str
    help: str
    verb: Verb | None = None
    footer: int = 0


KEYS = (
    Key("confirm", "c", "c", "Confirm…",
        "Shows exactly what would run and where. y runs it, Enter never does.", Verb.CONFIRM, 1),
    Key("retry", "r", "r", "Retry…",
        "Does it again after it failed, was stopped or is done, through the same confirmation.", Verb.RETRY, 3),
    Key("skip", "s", "s", "Skip…", "Leaves it out. Asks for the reason, except where it is optional.", Verb.SKIP, 2),
    Key("settle", "a", "a", "Settle…",
        "Answers what holds it back: its host, a value, how a file is changed, what kind it is.", Verb.SETTLE, 5),
    Key("edit", "e", "e", "Edit…", "Changes the command for this attempt. The transcript shows both.", Verb.EDIT),
    Key("undo", "u", "u", "Undo…", "Runs the way back, through the same confirmation.", Verb.UNDO, 6),
    Key("done", "m", "m", "Mark done…", "You did it by hand. Asks for a note.", Verb.DONE, 7),
    Key("note", "n", "n", "Note…", "Writes a note into the transcript.", Verb.NOTE),
    Key("stop", "x", "x", "Stop…",
        "Sends TERM to what runs over there and says what happened. KILL is offered after it.", Verb.STOP, 4),
    Key("override", "b", "b", "Override gate…",
        "Answers the gates that hold a step: you looked yourself, and write what you saw.", Verb.OVERRIDE),
    Key("recheck", "k", "k", "Recheck",
        "Asks on the host how it stands there, with the step's read-only command. You decide.", Verb.RECHECK),
    Key("rollback", "w", "w", "Roll back to here…", "Undoes what came after, each undo confirmed.", Verb.ROLLBACK),
    Key("reload", "l", "l", "Reload…", "Adopts the edited runbook file.", Verb.RELOAD),
    Key("goto", "g", "g", "Go to…", "Finds a step by its number or words.", footer=8),
    Key("output", "o", "o", "Output", "The output on the full screen: search, copy, save."),
    Key("checks", "v", "v", "Checks", "All live checks with what they asked and saw."),
    Key("hosts", "h", "h", "Hosts…", "Each host's connection and key. Trust a key, connect again."),
    Key("secrets", "S", "S", "Secrets…",
        "Asks for the passwords that are missing, for this sitting. Asks a silent or locked keyring again."),
    Key("transcript", "t", "t", "Transcript…", "Writes the transcript to a file."),
    Key("clean", "D", "D", "Clean up…",
        "Removes from the hosts what the closed run's commands left there. Shows what, and asks."),
    Key("help", "question_mark", "?", "Help", "This page.", footer=9),
    Key("pause", "q", "q", "Pause", "Leaves the run so that it can be resumed. Asks when something runs.", footer=10),
)  # fmt: skip
WATCH_KEYS = (
    Key("goto", "g", "g", "Go to…", "Finds a step by its number or words.", footer=8),
    Key("output", "o", "o", "Output", "The output on the full screen: search, copy, save.", footer=1),
    Key("checks", "v", "v", "Checks", "All live checks as they turned last.", footer=2),
    Key("hosts", "h", "h", "Hosts…", "Each host as the newest command on it found it.", footer=3),
    Key("transcript", "t", "t", "Transcript…", "Writes the transcript to a file.", footer=4),
    Key("help", "question_mark", "?", "Help", "This page.", footer=9),
    Key("pause", "q", "q", "Leave", "Watches no more. The run goes on where it is held.", footer=10),
)
"""What a watch has: it looks, and leaves."""
REHEARSAL_KEYS = (
    Key("world", "d", "d", "World", "The rehearsal's world: every resolver's cache, the queues, the numbered mails."),
    Key("forward", "f", "f", "Fast-forward", "Moves world time to the end of the next TTL that runs."),
    Key("stream", "p", "p", "Mail stream", "Stops the stream of numbered mails, or starts it again."),
    Key("fault", "i", "i", "Fault…", "Breaks something on purpose, or mends it."),
)
"""What a rehearsal has beside the keys of life."""
BY_ID = {key.id: key for key in (*KEYS, *REHEARSAL_KEYS)}

OTHER_KEYS = (
    ("↑ ↓", "The step before, the step after. ← → do the same where ↑ ↓ scroll."),
    ("Tab", "The next pane. On a small terminal it fills the screen; Esc goes back."),
    ("PgUp PgDn", "Scrolls the pane that has the focus, else the output. End follows the output again."),
    ("Ctrl-P", "The command palette: every verb by name."),
    ("Ctrl-C", "Copies selected text. Otherwise stops what runs, or leaves like q."),
    ("Esc", "Closes a dialog. Nothing has happened then."),
)


def bindings(keys: tuple[Key, ...] = KEYS) -> list[Binding]:
    """Give a screen's bindings, each with its id so that a keymap can move it."""
    return [Binding(k.key, f"verb('{k.id}')", k.label, id=k.id, key_display=k.shown) for k in keys]
