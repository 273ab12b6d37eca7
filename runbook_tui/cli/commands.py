"""The command line: commands, options, exit codes. What a command needs is imported when it runs, not before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_tui import __version__
from runbook_tui.cli import console, shipped
from runbook_tui.cli.console import say, say_json
from runbook_tui.cli.secret_command import app as secret_app
from runbook_tui.cli.wishes import Wishes
from runbook_tui.cli.wishes import pairs as _pairs
from runbook_tui.core.errors import RunbookError
from runbook_tui.core.model import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runbook_tui.cli.faults import Faults
    from runbook_tui.core.model import Problem, Runbook
    from runbook_tui.core.secret import Secret

app = typer.Typer(
    name="mailrunbook",
    help="Walk through a Markdown runbook on real hosts, one confirmed step at a time.",
    epilog="Example: mailrunbook run first-steps",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(secret_app)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Short = Annotated[bool, typer.Option("--short", help="A few lines; nothing when no run is unfinished.")]
Plain = Annotated[bool, typer.Option("--plain", help="Line mode: verbs on standard input, one line a change.")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Refuse every verb that changes something.")]
NoMouse = Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")]
SecretsFd = Annotated[
    int | None, typer.Option("--secrets-fd", metavar="N", help="Passwords: a JSON object on this open descriptor.")
]
SignWith = Annotated[
    str, typer.Option("--sign-with", metavar="KEY", help="The SSH key to sign with; by default the agent's first.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Write debug.log into the run's folder.")]
AnyRun = Annotated[str, typer.Argument(metavar="[RUN]", help="A run's id, or its beginning; the last run by default.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="A Markdown file, or the name of a shipped runbook.")]


def run() -> None:
    """Run the command line and end with its exit code."""
    sys.exit(console.guarded(lambda: app(prog_name="mailrunbook")))


def _version(wanted: bool) -> None:
    if wanted:
        say(f"mailrunbook {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def bare(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 -- its callback does all
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Offer the unfinished runs and the shipped runbooks when no command is given."""
    if context.invoked_subcommand is None:
        from runbook_tui.cli.choosing import choose  # noqa: PLC0415

        chosen = choose()
        if chosen is None:
            return
        what, name = chosen
        raise typer.Exit(_resume(name, Wishes()) if what == "resume" else _run(name, Wishes()))


@app.command(
    "run", epilog="Example: mailrunbook run move.md --host new=ssh://root@192.0.2.7:22 --var domain=example.org"
)
def run_command(
    runbook: Annotated[str, typer.Argument(metavar="RUNBOOK", help="A Markdown file, or a shipped runbook's name.")],
    *,
    var: Annotated[list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable's value.")] = None,
    host: Annotated[
        list[str] | None, typer.Option("--host", metavar="NAME=ssh://USER@ADDRESS:PORT", help="How a host is reached.")
    ] = None,
    plain: Plain = False,
    read_only: ReadOnly = False,
    no_mouse: NoMouse = False,
    run_id: Annotated[str, typer.Option("--run-id", metavar="ID", help="The new run's id.")] = "",
    secrets_fd: SecretsFd = None,
    sign_with: SignWith = "",
    debug: Debug = False,
) -> None:
    """Begin a new run of a runbook."""
    wishes = Wishes(
        plain=plain, read_only=read_only, mouse=not no_mouse, debug=debug, given=_given(secrets_fd),
        sign_with=sign_with,
    )  # fmt: skip
    with _faults(wishes):
        code = _run(runbook, wishes, _pairs(var, "--var"), _pairs(host, "--host"), run_id)
    raise typer.Exit(code)


def _run(
    wanted: str, wishes: Wishes, variables: dict[str, str] | None = None, hosts: dict[str, str] | None = None,
    run_id: str = "",
) -> int:  # fmt: skip
    path, data, runbook = _read(wanted, tuple(hosts or {}))
    if runbook.errors:
        count = len(runbook.errors)
        title = f"The runbook has {count} error{'s' if count > 1 else ''}, so it cannot be opened"
        raise RunbookError(title, "\n".join(_located(path, problem) for problem in runbook.errors))
    if not any(runbook.actions()):
        raise RunbookError("Nothing in it is a step", str(path), "mailrunbook outline shows what was understood.")
    for problem in runbook.problems:
        if problem.severity is Severity.WARNING:
            console.warn(_located(path, problem))
    from runbook_tui.cli.sitting import begin  # noqa: PLC0415

    return begin(path, runbook, data, variables=variables or {}, hosts=hosts or {}, run_id=run_id, wishes=wishes)


def _located(path: Path, problem: Problem) -> str:
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{path}:{problem.line}:{problem.column}: {problem.message}{hint}"


@app.command(epilog="Example: mailrunbook resume 20260314")
def resume(
    run: AnyRun = "",
    *,
    plain: Plain = False,
    read_only: ReadOnly = False,
    no_mouse: NoMouse = False,
    secrets_fd: SecretsFd = None,
    sign_with: SignWith = "",
    debug: Debug = False,
) -> None:
    """Go on with a run, by default the last unfinished one."""
    wishes = Wishes(
        plain=plain, read_only=read_only, mouse=not no_mouse, debug=debug, given=_given(secrets_fd),
        sign_with=sign_with,
    )  # fmt: skip
    with _faults(wishes):
        code = _resume(run, wishes)
    raise typer.Exit(code)


def _faults(wishes: Wishes) -> Faults:
    """Give the place where faults and errors end while the passwords of `--secrets-fd` are about."""
    from runbook_tui.cli.faults import Faults  # noqa: PLC0415
    from runbook_tui.core.redact import KnownSecrets  # noqa: PLC0415

    return Faults(KnownSecrets(wishes.given.values()).redact)


@app.command(epilog="Example: mailrunbook watch 20260314")
def watch(run: AnyRun = "", *, plain: Plain = False, no_mouse: NoMouse = False) -> None:
    """Follow a run from another terminal, from its journal alone: no verb, no lock, nothing is contacted."""
    from runbook_tui.cli.watching import watch as follow  # noqa: PLC0415

    raise typer.Exit(int(follow(run, Wishes(plain=plain, mouse=not no_mouse))))


def _given(descriptor: int | None) -> dict[str, Secret]:
    """Read `--secrets-fd` before anything else is opened: a descriptor of our own must not be taken for it."""
    if descriptor is None:
        return {}
    from runbook_tui.adapters.given_secrets import read_given  # noqa: PLC0415

    return read_given(descriptor)


def _resume(run: str, wishes: Wishes) -> int:
    from runbook_tui.cli.sitting import go_on  # noqa: PLC0415
    from runbook_tui.cli.stored import last_run  # noqa: PLC0415

    return go_on(run or last_run(unfinished=True), wishes)


@app.command(epilog="Example: mailrunbook check move.md mx queue-old --var domain=example.org")
def check(
    runbook: Annotated[str, typer.Argument(metavar="RUNBOOK", help="A Markdown file, or a shipped runbook's name.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Only these checks.")] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C, one line for each turn.")] = False,
    as_json: AsJson = False,
    var: Annotated[list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable's value.")] = None,
    host: Annotated[
        list[str] | None, typer.Option("--host", metavar="NAME=ssh://USER@ADDRESS:PORT", help="How a host is reached.")
    ] = None,
    secrets_fd: SecretsFd = None,
) -> None:
    """Look at a runbook's live checks: exit 0 when all pass, 4 when one could not look, else 1."""
    wishes = Wishes(given=_given(secrets_fd))
    hosts, variables = _pairs(host, "--host"), _pairs(var, "--var")
    _, _, book = _read(runbook, tuple(hosts))
    from runbook_tui.cli.checking import check as look  # noqa: PLC0415
    from runbook_tui.cli.stage import life  # noqa: PLC0415

    with _faults(wishes):
        code = look(book, names or (), life(wishes), hosts=hosts, variables=variables, watch=watch, as_json=as_json)
    raise typer.Exit(int(code))


@app.command(epilog="Example: mailrunbook runs --json")
def runs(as_json: AsJson = False) -> None:
    """List the runs, newest first."""
    from runbook_tui.adapters.runs import list_runs, state_dir  # noqa: PLC0415

    found = list_runs(state_dir())
    if as_json:
        say_json({"runs": [info.fields() for info in found]})
        return
    for info in found:
        problem = f", damaged: {info.problem}" if info.problem else ""
        say(f"{info.id} {info.state}, {info.settled} of {info.steps} steps settled: {info.title}{problem}")


@app.command(epilog="Example: mailrunbook status --short")
def status(run: AnyRun = "", as_json: AsJson = False, short: Short = False) -> None:
    """Say where a run stands, step by step, or (--short) in a few lines for a login message or cron."""
    from runbook_tui.cli.stored import in_brief, load  # noqa: PLC0415
    from runbook_tui.core.overview import status_json, status_lines  # noqa: PLC0415

    if short and not as_json:
        for line in in_brief(run):
            say(line)
        return
    stored = load(run)
    console.warn(stored.flaw)
    if as_json:
        say_json(status_json(stored.state))
        return
    for line in status_lines(stored.state):
        say(line)


@app.command(epilog="Example: mailrunbook outline how-to.md --json")
def outline(file: File, as_json: AsJson = False) -> None:
    """Show what was understood of a file: phases, steps, actions, and what is held back."""
    from runbook_tui.core.markdown import outline as understood  # noqa: PLC0415
    from runbook_tui.core.markdown import outline_text  # noqa: PLC0415

    _, _, runbook = _read(file)
    if as_json:
        say_json(understood(runbook))
    else:
        say(outline_text(runbook))


@app.command(epilog="Example: mailrunbook lint runbook.md")
def lint(file: File, as_json: AsJson = False) -> None:
    """Check a runbook: exit 0 without errors, 3 with errors."""
    from runbook_tui.core.markdown import lint_json, lint_text  # noqa: PLC0415

    _, _, runbook = _read(file)
    if as_json:
        say_json(lint_json(runbook))
    else:
        say(lint_text(runbook))
    if runbook.errors:
        raise typer.Exit(int(RunbookError.exit_code))


@app.command(epilog="Example: mailrunbook export 20260314 --format md -o transcript.md")
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its beginning.")],
    format_: Annotated[str, typer.Option("--format", metavar="md|json", help="Markdown, or JSON.")] = "md",
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="A new file to write.")] = "",
    sign_with: Annotated[
        str, typer.Option("--sign-with", metavar="KEY", help="An SSH key: writes FILE.sig as well.")
    ] = "",
) -> None:
    """Write a run's transcript: also of an unfinished or crashed one."""
    from runbook_tui.cli.proving import export as write  # noqa: PLC0415

    write(run, format_, output, sign_with)


@app.command(epilog="Example: mailrunbook verify 20260314")
def verify(
    target: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A run, its folder or its journal.")],
    witness: Annotated[
        str, typer.Option("--witness", metavar="LOG", help="What `journalctl -t mailrunbook` printed on a host.")
    ] = "",
) -> None:
    """Check that a run's journal is whole, agrees with its seal and its signature, and with what hosts witnessed."""
    from runbook_tui.cli.proving import verify as judge  # noqa: PLC0415

    raise typer.Exit(int(judge(target, witness)))


@app.command(epilog="Example: mailrunbook demo --auto")
def demo(
    *,
    auto: Annotated[bool, typer.Option("--auto", help="A scripted operator confirms every step; then all is counted.")]
    = False,
    tier: Annotated[str, typer.Option(metavar="auto|ns|plain", help="Namespaces, or none.")] = "auto",
    mistake: Annotated[str, typer.Option(metavar="NAME", help="With --auto: a mistake that is made on purpose.")] = "",
    speed: Annotated[float, typer.Option(metavar="N", help="World seconds for each second.")] = 0.0,
    rate: Annotated[float, typer.Option(metavar="N", help="Numbered mails a second.")] = 2.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the world's folder for a look.")] = False,
    plain: Plain = False,
) -> None:  # fmt: skip
    """Rehearse the whole migration against an embedded world: nothing real is touched."""
    from runbook_tui.demo.command import rehearse  # noqa: PLC0415
    from runbook_tui.demo.facts import DemoWishes  # noqa: PLC0415

    wishes = DemoWishes(auto=auto, tier=tier, mistake=mistake, speed=speed, rate=rate, keep=keep, plain=plain)
    raise typer.Exit(rehearse(wishes))


def _read(wanted: str, hosts: Sequence[str] = ()) -> tuple[Path, bytes, Runbook]:
    from runbook_tui.core.markdown import read  # noqa: PLC0415

    path = shipped.find(wanted)
    data = shipped.read_bytes(path)
    return path, data, read(data, name=path.name, hosts=tuple(hosts))
