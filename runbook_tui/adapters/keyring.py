"""The operator's keyring: every call in a thread of its own with a time limit, every failure a sentence of its own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from runbook_tui.adapters import keyring_backends
from runbook_tui.core.errors import SecretError
from runbook_tui.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.adapters.keyring_backends import Chosen

T = TypeVar("T")

SERVICE: Final = "mailrunbook"
"""What the keyring files the passwords under; the user name is the secret's name."""

PATIENCE: Final = 10.0
"""Seconds a keyring may take. A frozen one was measured to hold a caller for good (PROMISES.md fact 9)."""

_MOST_TWINS: Final = 10
"""Items of one name that a deletion removes; a keyring may hold several, and deletes one at a time."""

_TYPED: Final = "Until then a password is typed when asked, or comes from --secrets-fd."


class KeyringLockedError(SecretError):
    """The keyring is locked, and was not unlocked."""


class KeyringClosedError(SecretError):
    """The keyring could not be opened: its question was dismissed, or there was nobody to show it to."""


class KeyringSilentError(SecretError):
    """The keyring did not answer in time, and is not asked again in this sitting."""


class KeyringFailedError(SecretError):
    """The keyring broke off: its daemon ended, or it said something nobody expected."""


class NotKeptError(SecretError):
    """The keyring took a value and does not give it back."""


class Keyring:
    """Passwords by name in one allow-listed backend, which is chosen at the first call and kept.

    After it was silent or locked it is asked nothing more until `ask_again()`: a poll every minute would hang, or
    open the desktop's question, again and again.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._chosen: Chosen | None = None
        self._closed: SecretError | None = None
        self._turn = asyncio.Lock()
        self._asking: set[asyncio.Future[Any]] = set()

    @property
    def name(self) -> str:
        """What the backend is called, such as `Secret Service`; empty before the first call that reached it."""
        return self._chosen.name if self._chosen is not None else ""

    @property
    def source(self) -> str:
        """The keyring in words, for the transcript."""
        return f"the keyring ({self.name})"

    def ask_again(self) -> None:
        """Take back that it is asked nothing more: the operator says that it answers now."""
        self._closed = None

    async def get(self, name: str) -> Secret | None:
        """Give the secret, None when none is stored under this name.

        Raises:
            SecretError: the keyring cannot be asked; each cause has a class and a sentence of its own.
        """
        value = await self._call(lambda chosen: chosen.backend.get_password(SERVICE, name))
        return None if value is None else Secret(name, value, self.source)

    async def set(self, secret: Secret) -> None:
        """Store the secret, and read it back: some backends say yes and keep nothing.

        Raises:
            NotKeptError: it does not come back as it was given.
            SecretError: as for `get`.
        """
        def store(chosen: Chosen) -> str | None:
            chosen.backend.set_password(SERVICE, secret.name, secret.reveal())
            return chosen.backend.get_password(SERVICE, secret.name)

        if await self._call(store) != secret.reveal():
            title = f"The keyring did not keep {secret.name}"
            raise NotKeptError(title, f"{self.name} took it, and gives something else back.", "Nothing relies on it.")

    async def delete(self, name: str) -> bool:
        """Delete what is stored under this name; False when nothing was.

        Raises:
            NotKeptError: something is still there.
            SecretError: as for `get`.
        """
        def remove(chosen: Chosen) -> int:
            for count in range(_MOST_TWINS):
                if chosen.backend.get_password(SERVICE, name) is None:
                    return count
                chosen.backend.delete_password(SERVICE, name)
            return -1

        removed = await self._call(remove)
        if removed < 0:
            raise NotKeptError(f"{name} was deleted and is still there", f"{self.name} holds it more than once.")
        return removed > 0

    async def _call(self, call: Callable[[Chosen], T]) -> T:
        """Run a call in its turn. It goes on when its caller is cancelled, so that a silent keyring is noticed."""
        asking = asyncio.ensure_future(self._in_turn(call))
        self._asking.add(asking)
        asking.add_done_callback(self._asked)
        return await asyncio.shield(asking)

    def _asked(self, asking: asyncio.Future[Any]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # seen, also where its caller gave up before it ended

    async def _in_turn(self, call: Callable[[Chosen], T]) -> T:
        async with self._turn:
            if self._closed is not None:
                raise self._closed.with_traceback(None)
            try:
                async with asyncio.timeout(self._patience):
                    return await in_thread(lambda: self._ask(call))
            except TimeoutError:
                self._closed = KeyringSilentError(
                    "The keyring is not answering",
                    f"{self.name or 'It'} said nothing for {self._patience:g} s, and is not asked again by itself.",
                    f"Restart it and try again. {_TYPED}",
                )
                raise self._closed from None
            except (KeyringLockedError, KeyringClosedError) as error:
                self._closed = error
                raise

    def _ask(self, call: Callable[[Chosen], T]) -> T:
        """Choose the backend when it is not chosen yet, and call it. Runs in the thread."""
        if self._chosen is None:
            self._chosen = keyring_backends.choose()
        try:
            return call(self._chosen)
        except Exception as error:  # noqa: BLE001 -- each backend lets its own library's errors through
            raise _sentence(error, self._chosen.name) from None


async def in_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a thread that neither a cancellation nor the program's end waits for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def deliver(result: Callable[[], None]) -> None:
        if not answer.done():
            result()

    def run() -> None:
        try:
            value = call()
        except Exception as error:  # noqa: BLE001 -- raised again where it is awaited
            problem = error
            tell = lambda: answer.set_exception(problem)  # noqa: E731 -- one of two things to deliver
        else:
            tell = lambda: answer.set_result(value)  # noqa: E731
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, tell)

    threading.Thread(target=run, name="keyring", daemon=True).start()
    return await answer


def _sentence(error: Exception, name: str) -> SecretError:
    """Give the sentence for what a backend raised. Its text is left out where it may quote what it was given."""
    errors = importlib.import_module("keyring.errors")
    if isinstance(error, errors.KeyringLocked):
        title = f"The keyring is locked ({name})"
        return KeyringLockedError(title, hint=f"Unlock it on the desktop and try again. {_TYPED}")
    if isinstance(error, errors.InitError):
        title = f"The keyring could not be opened ({name})"
        return KeyringClosedError(title, _text(error), f"Its question was dismissed or not seen. {_TYPED}")
    if isinstance(error, errors.NoKeyringError):
        return keyring_backends.KeyringAbsentError("There is no keyring in this session", hint=_TYPED)
    if isinstance(error, errors.PasswordSetError):
        return NotKeptError(f"The keyring refused to store it ({name})", hint=_TYPED)
    if isinstance(error, errors.PasswordDeleteError):
        return NotKeptError(f"The keyring refused to delete it ({name})", _text(error))
    title = f"The keyring broke off ({name})"
    return KeyringFailedError(title, type(error).__name__, f"Look whether it still runs. {_TYPED}")


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
