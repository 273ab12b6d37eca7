"""Check `tcp`: does a port take connections, and does what stands behind it greet as it should?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.checks.expected import up_in_phase
from runbook_tui.checks.reached import REFUSED, Judged, Target, nowhere, shut, together, trouble
from runbook_tui.ports import CheckState, Probe, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from runbook_tui.core.contact import Banner
    from runbook_tui.core.model import CheckSpec
    from runbook_tui.ports import Sight


@dataclass(slots=True)
class TcpProbe(Probe):
    """Connects to every address; `expect` is a regular expression that what comes first must match."""

    target: Target
    expect: str = ""
    phases: Mapping[str, object] = field(default_factory=dict)
    columns = ("address", "said", "")

    @classmethod
    def of(cls, spec: CheckSpec, resolve: Callable[[str], str]) -> Self:
        """Make the probe of a check."""
        return cls(Target.of(spec, resolve), resolve(str(spec.options.get("expect") or "")), spec.phases)

    @property
    def asks(self) -> str:
        """What is sent."""
        return f"a connection to {self.target}; nothing is sent"

    async def read(self, sight: Sight) -> Reading:
        """Look once."""
        found = await self.target.find(sight)
        if not found.endpoints:
            return nowhere(found)
        expect = str(up_in_phase(self.expect, self.phases, sight.phase))
        listen = "" if expect == REFUSED else expect
        banners = await asyncio.gather(
            *(sight.net.services.banner(one, listen, self.target.patience) for one in found.endpoints)
        )
        judged = [(one.address, judge(seen, expect)) for one, seen in zip(found.endpoints, banners, strict=True)]
        return together(judged)


def judge(seen: Banner, expect: str) -> Judged:
    """Judge what one address did; `expect` is a regular expression, `refused`, or empty where connecting is enough."""
    cells = (seen.said,)
    if expect == REFUSED:
        found = shut(seen.trouble)
    elif seen.trouble is not None:
        found = trouble(seen.trouble, seen.said, "the banner" if expect else "")
    elif expect and not seen.matched:
        found = Judged(CheckState.FAIL, f"does not match {expect}: {seen.said or 'it says nothing'}")
    else:
        found = Judged(CheckState.PASS, seen.said or "it takes connections")
    return Judged(found.state, found.says, cells, found.away)
