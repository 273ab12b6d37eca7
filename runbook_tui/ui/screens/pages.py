"""Full pages over the main screen: help and the hosts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from runbook_tui.ports import KeyVerdict
from runbook_tui.ui import describe
from runbook_tui.ui.keys import OTHER_KEYS
from runbook_tui.ui.screens.dialogs import Dialog
from runbook_tui.ui.untrusted import untrusted, untrusted_line
from runbook_tui.ui.widgets.fitted import Fitted, hanging
from runbook_tui.ui.words import LINK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from textual.widget import Widget

    from runbook_tui.engine.connections import HostView
    from runbook_tui.ui.keys import Key

_VERDICT = {
    KeyVerdict.UNKNOWN: "nobody vouched for it yet", KeyVerdict.CHANGED: "another one was expected",
    KeyVerdict.OTHER_TYPE: "one of another type was expected",
}  # fmt: skip
SCROLLING: list[BindingType] = [
    Binding("down", "scroll_body(1)", show=False),
    Binding("up", "scroll_body(-1)", show=False),
    Binding("pagedown", "scroll_body(15)", show=False),
    Binding("pageup", "scroll_body(-15)", show=False),
]


class Page(Dialog[None]):
    """A page to read; arrow keys scroll it."""

    AUTO_FOCUS = "#close"
    BINDINGS: ClassVar[list[BindingType]] = SCROLLING

    def action_scroll_body(self, lines: int) -> None:
        """Scroll the page."""
        self.query_one("#ask-body").scroll_relative(y=lines, animate=False)


class HelpScreen(Page):
    """Every key with what it does, and why it is refused now."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "leave", show=False)]

    def __init__(self, keys: Iterable[Key], refused: Mapping[str, str], names: Mapping[str, str]) -> None:
        super().__init__("Keys", classes="-wide")
        self._keys = tuple(keys)
        self._refused = refused
        self._names = names

    def body(self) -> Iterable[Widget]:
        """Give the table the bindings are made from."""
        for key in self._keys:
            lead = Content.assemble(
                (f"{self._names.get(key.id, key.shown):>3}", "bold $primary"), "  ", (f"{key.label:<19}", "bold")
            )
            text = Content(key.help)
            if why := self._refused.get(key.id):
                text = Content.assemble(text, "\n", ("not now: ", "$warning"), untrusted_line(why, "$muted"))
            yield Fitted(partial(hanging, lead, text), classes="row")
        yield Static("Everywhere", classes="section")
        for name, what in OTHER_KEYS:
            lead = Content.assemble((f"{name:>9}", "bold $primary"), "  ")
            yield Fitted(partial(hanging, lead, Content(what)), classes="row")


class HostsScreen(Dialog[None]):
    """Each host with its connection and key; keys act on the highlighted one."""

    AUTO_FOCUS = "#hosts"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "ask('trust')", "Trust its key…", id="hosts.trust"),
        Binding("r", "ask('reconnect')", "Connect again", id="hosts.reconnect"),
        Binding("o", "ask('takeover')", "Take over its lock…", id="hosts.takeover"),
        Binding("h", "leave", show=False),
    ]

    class Asked(Message):
        """The operator wants something of a host: `what` is trust, reconnect or takeover."""

        def __init__(self, what: str, host: str) -> None:
            super().__init__()
            self.what = what
            self.host = host

    def __init__(self, views: Callable[[], list[HostView]]) -> None:
        super().__init__("Hosts", classes="-wide")
        self._views = views
        self._drawn: list[HostView] = []
        self._width = 0

    def body(self) -> Iterable[Widget]:
        """Give the list."""
        yield OptionList(id="hosts", markup=False)

    def buttons(self) -> Iterable[Widget]:
        """Give what can be done with the highlighted host."""
        yield Button("Close", id="close")
        yield Button("Connect (r)", id="reconnect")
        yield Button("Trust… (t)", id="trust")
        yield Button("Take over… (o)", id="takeover")

    def on_mount(self) -> None:
        """Keep the list true."""
        self.call_after_refresh(self._draw)
        self.set_interval(0.2, self._draw)

    def _draw(self) -> None:
        views = self._views()
        options = self.query_one("#hosts", OptionList)
        width = max(20, options.size.width - 2)
        if (views, width) == (self._drawn, self._width):
            return
        self._drawn, self._width = views, width
        at = options.highlighted or 0
        options.clear_options()
        names = [str(v.name) for v in views]
        options.add_options(Option(host_block(view, names, width)) for view in views)
        options.highlighted = min(at, len(views) - 1) if views else None

    @on(Button.Pressed, "#trust")
    def _trust(self) -> None:
        self.action_ask("trust")

    @on(Button.Pressed, "#takeover")
    def _take_over(self) -> None:
        self.action_ask("takeover")

    @on(Button.Pressed, "#reconnect")
    def _reconnect(self) -> None:
        self.action_ask("reconnect")

    def action_ask(self, what: str) -> None:
        """Pass on what is wanted of the highlighted host."""
        at = self.query_one("#hosts", OptionList).highlighted
        if at is not None and at < len(self._drawn):
            self.post_message(self.Asked(what, str(self._drawn[at].name)))


def host_block(view: HostView, names: Iterable[str], width: int) -> Content:
    """Give all that is known of a host."""
    sign = LINK[view.link]
    lines = [
        Content.assemble(
            describe.host(view.name, list(names)), "  ", untrusted_line(view.ssh or "this machine"), "   ",
            (f"{sign.glyph} {sign.word}", sign.style),
        )
    ]  # fmt: skip
    if view.identity is not None:
        lines.append(describe.fact("it says", untrusted_line(f"{view.identity.user}@{view.identity.name}"), width))
        if view.identity.address:
            lines.append(describe.fact("address", untrusted_line(view.identity.address), width))
            key = untrusted_line(f"{view.identity.algorithm} {view.identity.fingerprint}".strip())
            lines.append(describe.fact("host key", key, width))
    for at, found in enumerate(view.found):
        name, style = ("warning", "$warning") if at else ("preflight", "$muted")
        lines.append(describe.fact(name, untrusted_line(found), width, style))
    if view.problem:
        lines.append(describe.fact("problem", untrusted(view.problem), width, "$error"))
    if view.held:
        text = Content.assemble(untrusted_line(view.held), ("  o takes it over, if that run is over", "$muted"))
        lines.append(describe.fact("held by", text, width, "$warning"))
    if view.refusal is not None and view.refusal.key is not None:
        key = untrusted_line(f"{view.refusal.key.algorithm} {view.refusal.key.fingerprint}")
        whose = f" by {view.refusal.whose}" if view.refusal.jump else ""
        word = untrusted_line(f"{whose}  {_VERDICT.get(view.refusal.verdict, str(view.refusal.verdict))}", "$warning")
        lines.append(describe.fact("it shows", Content.assemble(key, word), width))
    return Content("\n").join([*lines, Content("")])
