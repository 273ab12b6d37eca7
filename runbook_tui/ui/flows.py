"""What each key does from the first question to the engine: dialogs in order, errors shown, nothing held."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from textual.content import Content

from runbook_tui.core.errors import HostError, Refused, RunbookTuiError, WantedSecretError
from runbook_tui.core.gates import reopened
from runbook_tui.core.model import LOCAL, HoldCode
from runbook_tui.core.run import Verb
from runbook_tui.core.settle import effective
from runbook_tui.core.verbs import number_of, why_held
from runbook_tui.engine.returned import returned, wants_a_look
from runbook_tui.engine.rolling import plan_rollback, roll_back
from runbook_tui.saving import write_new
from runbook_tui.ui import describe
from runbook_tui.ui.screens.clean import CleanScreen
from runbook_tui.ui.screens.confirm import ConfirmScreen
from runbook_tui.ui.screens.dialogs import BusyScreen, ErrorScreen, MessageScreen, ReasonScreen
from runbook_tui.ui.screens.edit import EditScreen
from runbook_tui.ui.screens.files import ExportScreen, SaveScreen
from runbook_tui.ui.screens.host_key import KeyScreen
from runbook_tui.ui.screens.leaving import KillScreen, LeaveScreen, StopScreen
from runbook_tui.ui.screens.recheck import RecheckSaidScreen, RecheckScreen
from runbook_tui.ui.screens.reload import ReloadScreen
from runbook_tui.ui.screens.rollback import RollbackScreen
from runbook_tui.ui.screens.secret import SecretScreen
from runbook_tui.ui.screens.settle import SettleScreen
from runbook_tui.ui.screens.start import ReturnScreen, StartScreen
from runbook_tui.ui.untrusted import untrusted_line

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from textual.screen import Screen

    from runbook_tui.core.model import Action
    from runbook_tui.core.proposal import Proposal
    from runbook_tui.engine import Engine
    from runbook_tui.ui.app import RunbookApp

T = TypeVar("T")

PATIENCE = 0.15
"""Seconds before a dialog says that something outside is asked: most answers come sooner."""


UNDER = 0.05
"""Seconds between looks whether a dialog that lies under another one has come to the front."""


class Flows:
    """Runs one flow at a time as a task of its own: Textual's workers end with their screen (STYLE.md F5)."""

    def __init__(self, app: RunbookApp, engine: Engine) -> None:
        self._app = app
        self._engine = engine
        self._tasks: set[asyncio.Task[None]] = set()
        self.busy = False

    # ---- running them

    def start(self, flow: Coroutine[Any, Any, None], *, alongside: bool = False) -> None:
        """Run a flow unless another one is under way; `alongside` ones (stop, leave) always run."""
        if self.busy and not alongside:
            flow.close()
            return
        task = asyncio.create_task(self._guarded(flow, alone=not alongside))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        self.busy = self.busy or not alongside

    async def _guarded(self, flow: Coroutine[Any, Any, None], *, alone: bool) -> None:
        try:
            await flow
        except RunbookTuiError as error:
            error.take_out(self._engine.redact)
            await self.ask(ErrorScreen(error, "Not now" if isinstance(error, Refused) else "That did not work"))
        finally:
            if alone:
                self.busy = False

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._app.fault(error)

    async def close(self) -> None:
        """Cancel what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ask(self, screen: Screen[T]) -> T | None:
        """Show a dialog and wait for what it gives."""
        answer: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

        def take(result: T | None) -> None:
            if not answer.done():
                answer.set_result(result)

        await self._app.push_screen(screen, take)
        return await answer

    async def _patiently(self, outside: Coroutine[Any, Any, T], what: Content) -> T | None:
        """Await something outside; when it takes longer, say so and let Escape give up. None when given up."""
        task = asyncio.create_task(outside)
        try:
            await asyncio.wait({task}, timeout=PATIENCE)
            if task.done():
                return await task
            screen = BusyScreen(what)
            closed = asyncio.create_task(self.ask(screen))
            await asyncio.wait({task, closed}, return_when=asyncio.FIRST_COMPLETED)
            if closed.done() and not task.done():
                return None
            while not (screen.is_active or closed.done()):  # noqa: ASYNC110 -- a host's question lies over it
                await asyncio.sleep(UNDER)
            screen.dismiss(None)
            await closed
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # ---- starting and leaving

    async def begin(self, *, always: bool = False) -> None:
        """Show the start screen where there is something to say or to agree to; agree when asked to."""
        engine = self._engine
        if engine.following:
            return
        wanted = [] if engine.consented else engine.consent_lines()
        if not (wanted or engine.state.resumes or engine.drift or always):
            if not (engine.read_only or engine.consent_lines()):
                await engine.consent()
                await self._ask_secrets()
            return
        drift = {step: str(word) for step, word in engine.drift.items()}
        sections = returned(engine, "l") if engine.state.left is not None else []
        screen = StartScreen(engine.state, wanted, drift, self._app.rhythm, sections)
        if await self.ask(screen) is not None or not wanted:
            await engine.consent()
            await self._ask_secrets()
            if sections and wants_a_look(engine):
                await self.ask(ReturnScreen(engine.state, lambda: returned(engine, "l")))

    async def _consented(self) -> bool:
        if not self._engine.consented:
            await self.begin()
        return self._engine.consented

    async def leave(self) -> None:
        """Pause the run and leave; ask first when something runs."""
        activity = self._engine.activity
        if activity is not None and not self._engine.following:
            number = number_of(self._engine.state, activity.attempt.action)
            if await self.ask(LeaveScreen(number, activity, self._app.rhythm)) is None:
                return
        await self._engine.pause("quit")
        self._app.exit()

    async def stop(self) -> None:
        """Stop what runs: TERM first, KILL when it was offered and the word is typed."""
        engine = self._engine
        activity = engine.activity
        if activity is None:
            raise Refused("nothing is running")
        kill = engine.kill_offered
        number = number_of(engine.state, activity.attempt.action)
        screen = (KillScreen if kill else StopScreen)(number, activity, self._app.rhythm)
        if await self.ask(screen) is None:
            return
        what = Content("The process group over there is being signalled.")
        said = await self._patiently(engine.stop(kill=kill), what)
        if said:
            more = "\nIt lives on. Press x again to send KILL." if engine.kill_offered else ""
            await self.ask(MessageScreen("What happened over there", Content.assemble(untrusted_line(said), more)))

    # ---- running

    async def confirm(self, action: Action, verb: Verb, edited: str | None = None) -> None:
        """Propose, show, and run what was confirmed."""
        if not await self._consented():
            return
        try:
            proposal = await self._propose(action, verb, edited)
        except HostError:
            if await self._look_at_key(effective(self._engine.state, action).host or LOCAL):
                return
            raise
        if proposal is None:
            return
        typed = await self.ask(ConfirmScreen(proposal, self._engine.state, self._app.rhythm))
        if typed is not None:
            await self._engine.confirm(proposal, typed)

    async def _propose(self, action: Action, verb: Verb, edited: str | None) -> Proposal | None:
        now = effective(self._engine.state, action)
        host = now.host or LOCAL
        names = self._engine.state.hosts
        what = Content.assemble("connecting to ", describe.host(host, names), " and looking there …")
        while True:
            try:
                return await self._patiently(self._engine.propose(action.id, verb, edited), what)
            except WantedSecretError as wanted:
                typed = await self.ask(SecretScreen(wanted.name, wanted))
                if typed is None:
                    return None
                self._engine.give_secret(typed.name, typed.reveal())

    async def roll_back(self, action: Action) -> None:
        """Show what would be undone; then one confirmation after the other, while anything else may be looked at."""
        if not await self._consented():
            return
        planned = plan_rollback(self._engine, action.id)
        if await self.ask(RollbackScreen(planned, self._engine.state, self._app.rhythm)) is None:
            return

        async def agree(proposal: Proposal) -> str | None:
            return await self.ask(ConfirmScreen(proposal, self._engine.state, self._app.rhythm))

        whole = await roll_back(self._engine, planned, agree, self._aside)
        said = self._engine.state.notes[-1].text
        heading = "Rolled back" if whole else "The rollback stopped"
        await self.ask(MessageScreen(heading, untrusted_line(said)))

    async def reload(self) -> None:
        """Show what the edited file would change; adopt it after a `y`."""
        planned = self._engine.plan_reload()
        if await self.ask(ReloadScreen(planned, self._app.rhythm)) is not None:
            await self._engine.reload(planned)
            self._app.say("The edited runbook is adopted.")

    async def clean(self) -> None:
        """Show what would be removed from the hosts of the finished run; remove it after a `y`, and say what was."""
        if not await self._consented():
            return
        cleaning = self._engine.cleaning
        if why := cleaning.refusal():
            raise Refused(why)
        if await self.ask(CleanScreen(cleaning.plan(), self._app.rhythm)) is None:
            return
        told = await self._patiently(cleaning.clean(), Content("The hosts are asked to remove the folders."))
        if told is not None:
            await self.ask(MessageScreen("Cleaned up", Content("\n").join(map(untrusted_line, told))))

    async def _aside(self) -> None:
        """Wait until what runs has ended, and let other flows run meanwhile; they end before this one goes on."""
        own = asyncio.current_task()
        self.busy = False
        await self._engine.idle()
        while self.busy:
            await asyncio.wait(self._tasks - {own}, return_when=asyncio.FIRST_COMPLETED)
        self.busy = True

    async def edit(self, action: Action) -> None:
        """Edit the command for one attempt, then the same confirmation."""
        state = self._engine.state
        screen = EditScreen(number_of(state, action.id), action.title, effective(state, action).text)
        edited = await self.ask(screen)
        if edited is not None:
            await self.confirm(action, Verb.EDIT, edited)

    async def settle(self, action: Action) -> None:
        """Answer what holds the action back."""
        for answer in await self.ask(SettleScreen(self._engine.state, action)) or ():
            await self._engine.settle(action.id, answer.what, answer.value, answer.subject)

    # ---- words for the transcript

    async def skip(self, action: Action) -> None:
        """Skip with a reason."""
        heading = self._heading("Skip", action)
        question = "Why is it left out? The transcript shows it."
        if action.optional:
            question = "It is optional. Say why it is left out, or leave the line empty."
        reason = await self.ask(ReasonScreen(heading, question, ok="Skip it", empty=action.optional))
        if reason is not None:
            await self._engine.skip(action.id, reason)

    async def done(self, action: Action) -> None:
        """Mark done by hand, with a note."""
        heading = self._heading("Mark done", action)
        question = "What did you do? The transcript shows it."
        if action.no_return:
            question = f"This is the point of no return: nothing leads back after it.\n\n{question}"
        note = await self.ask(ReasonScreen(heading, question, ok="Mark it done"))
        if note is not None:
            await self._engine.mark_done(action.id, note)

    async def recheck(self, action: Action) -> None:
        """Show what the step's own recheck says; where it says done, a `y` marks it so with that as the note."""
        if not await self._consented():
            return
        now = effective(self._engine.state, action)
        where = describe.host(now.host or LOCAL, self._engine.state.hosts)
        what = Content.assemble("looking on ", where, " how it stands there …")
        said = await self._patiently(self._engine.recheck(action.id), what)
        if said is None:
            return
        heading = self._heading("Recheck", action)
        if not said.done or self._engine.allowed(action.id)[Verb.DONE]:
            await self.ask(RecheckSaidScreen(heading, said))
        elif await self.ask(RecheckScreen(heading, said, self._app.rhythm, final=action.no_return)) is not None:
            await self._engine.mark_done(action.id, said.note)

    async def override(self, action: Action) -> None:
        """Answer every open gate of the action with what the operator saw."""
        state = self._engine.state
        red = [f"gate {gate} is {said.state} since it was done: {said.value}" for gate, said in reopened(state, action)]
        if unseen := [h.why for h in why_held(state, action) if h.code is HoldCode.REBOUND]:
            await self._go_without(action, unseen[0])
            return
        asked = red or [h.why for h in why_held(state, action) if h.code is HoldCode.GATE]
        measured = red or any(gate in state.looks for gate in action.gates)
        lead = "Write why it may stand so." if red else (
            "A green check lets it through by itself. Else write why it may go on without." if measured
            else "Nothing measures it: look yourself. Then write what you saw, or why it may go on without."
        )  # fmt: skip
        question = Content.assemble(
            Content("\n").join(Content.assemble(("⊘ ", "$warning"), untrusted_line(why)) for why in asked),
            f"\n\n{lead}\nThe transcript shows it, and what the check says now.",
        )  # fmt: skip
        heading = self._heading("Gate" if len(asked) == 1 else "Gates", action)
        reason = await self.ask(ReasonScreen(heading, question, ok="Let it through"))
        if reason is not None:
            await self._engine.override(action.id, reason)

    async def _go_without(self, action: Action, why: str) -> None:
        """Let the action through although a host did not show its key since an address moved."""
        question = Content.assemble(
            ("⊘ ", "$warning"), untrusted_line(why),
            "\n\nConfirming connects to them. Else write why it may go on without: it is gone, or off on purpose.\n"
            "Before anything runs on it, it must still show its own key. The transcript shows what you write.",
        )  # fmt: skip
        reason = await self.ask(ReasonScreen(self._heading("Hosts", action), question, ok="Go on without"))
        if reason is not None:
            await self._engine.override(action.id, reason)

    async def note(self, action: Action | None) -> None:
        """Write a note under the action, or under the run."""
        heading: Content | str = self._heading("Note", action) if action else "Note"
        text = await self.ask(ReasonScreen(heading, "It goes into the transcript.", ok="Write it"))
        if text is not None:
            await self._engine.note(action.id if action else "", text)
            self._app.say("The note is in the transcript.")

    def _heading(self, word: str, action: Action) -> Content:
        number = number_of(self._engine.state, action.id)
        return Content.assemble(
            (f"{word}  ", "bold $primary"), (number, "bold"), "  ", untrusted_line(action.title, "bold")
        )

    # ---- passwords

    async def _ask_secrets(self) -> None:
        """Ask for every password that the checks want and do not get; Esc leaves one out."""
        what = Content("The keyring is asked for the passwords of the checks.")
        missing = await self._patiently(self._engine.secrets.missing(), what)
        for name, why in (missing or {}).items():
            typed = await self.ask(SecretScreen(name, why))
            if typed is not None:
                self._engine.give_secret(name, typed.reveal())

    async def secrets(self) -> None:
        """Ask a keyring again that was silent or locked, then for what is still missing; say where each came from."""
        if not await self._consented():
            return
        self._engine.secrets.ask_again()
        await self._ask_secrets()
        told = self._engine.secrets.supplied()
        lines = [untrusted_line(f"{name}: from {source}") for name, source in told.items()]
        text = Content("\n").join(lines) if lines else Content("No check of this run was handed a password.")
        await self.ask(MessageScreen("Where the passwords come from", text))

    # ---- hosts and files

    async def trust(self, host: str) -> None:
        """Show the key a host was refused for, and trust it when its fingerprint is typed."""
        if not await self._look_at_key(host):
            raise Refused(f"{host} has shown no key that would have to be trusted", hint="r connects to it again.")

    async def _look_at_key(self, host: str) -> bool:
        """Show the key a host was refused for; False when there is none."""
        view = next((v for v in self._engine.hosts() if v.name == host), None)
        if view is None or view.refusal is None:
            return False
        typed = await self.ask(KeyScreen(host, self._engine.state.hosts, view.refusal))
        if typed is not None:
            what = Content(f"connecting to {host} with that key …")
            await self._patiently(self._engine.trust(host, *typed), what)
            self._app.say(f"The key is trusted in this run, and {host} answers.")
        return True

    async def take_over(self, host: str) -> None:
        """Take a host's lock from another run, when the host's name is typed."""
        view = next(v for v in self._engine.hosts() if v.name == host)
        if not view.held:
            raise Refused(f"no other run is known to hold {host}", hint="It is looked at when a command is confirmed.")
        question = Content.assemble(
            describe.host(host, self._engine.state.hosts), " is held by ", untrusted_line(view.held, "bold"), ".\n\n"
            "Take it over only if that run is over: two runs at once can ruin what they both change.\n"
            f"To take it over, type the host's name: {host}",
        )  # fmt: skip
        typed = await self.ask(ReasonScreen(f"Take over the lock of {host}", question, ok="Take it over"))
        if typed is None:
            return
        if typed != host:
            raise Refused("that is not the host's name; nothing was taken over")
        said = await self._patiently(self._engine.take_over(host), Content(f"connecting to {host} …"))
        if said is not None:
            await self.ask(MessageScreen("The lock", untrusted_line(said)))

    async def reconnect(self, host: str) -> None:
        """Connect to a host again."""
        if not await self._consented():
            return
        try:
            await self._patiently(self._engine.reconnect(host), Content(f"connecting to {host} …"))
        except HostError:
            if not await self._look_at_key(host):
                raise

    async def export(self) -> None:
        """Write the transcript to a new file."""
        chosen = await self.ask(ExportScreen(self._engine.state.run))
        if chosen is not None:
            format_, path = chosen
            write_new(path, self._engine.export(format_))
            where = untrusted_line(str(path.resolve()), "bold")
            await self.ask(MessageScreen("The transcript is written", where))

    async def save(self, text: str) -> None:
        """Write the shown output to a new file."""
        path = await self.ask(SaveScreen("output.txt"))
        if path is not None:
            write_new(path, text)
            await self.ask(MessageScreen("The output is saved", untrusted_line(str(path.resolve()), "bold")))
