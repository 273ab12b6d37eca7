"""A daemon that does nothing but run or not: those whose work no step of a migration looks at."""


class Quiet:
    """A `machine.Service` without a socket."""

    def __init__(self, *, running: bool = False) -> None:
        self.running = running

    async def start(self) -> None:
        """Be on."""
        self.running = True

    async def stop(self) -> None:
        """Be off."""
        self.running = False

    async def reload(self) -> None:
        """Have nothing to read."""
