"""Which of the keyring library's backends may hold a password, and the sentence for each that may not."""

from __future__ import annotations

import configparser
import importlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runbook_tui.core.errors import SecretError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

ALLOWED: Final = {
    "keyring.backends.SecretService.Keyring": "Secret Service",
    "keyring.backends.libsecret.Keyring": "libsecret",
    "keyring.backends.kwallet.DBusKeyring": "KWallet",
    "keyring.backends.kwallet.DBusKeyringKWallet4": "KWallet 4",
    "keyring.backends.macOS.Keyring": "macOS Keychain",
    "keyring.backends.Windows.WinVaultKeyring": "Windows Credential Manager",
}
"""The classes that keep a value encrypted and never ask on the terminal (PROMISES.md fact 9)."""

_CHAINER: Final = "keyring.backends.chainer.ChainerBackend"
_FAIL: Final = "keyring.backends.fail.Keyring"
_WHY: Final = {
    "keyring.backends.null.Keyring": "it keeps nothing, and says that it did",
    "keyrings.alt.file.PlaintextKeyring": "it writes passwords into a readable file",
}
_VARIABLE: Final = "PYTHON_KEYRING_BACKEND"
_OTHERWISE: Final = "Without it, a password comes from --secrets-fd or is typed when asked."


class KeyringAbsentError(SecretError):
    """There is no keyring in this session."""


class KeyringRefusedError(SecretError):
    """A keyring was chosen that does not keep a password safe."""


class KeyringMisnamedError(SecretError):
    """PYTHON_KEYRING_BACKEND or keyringrc.cfg names a keyring that cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The concrete backend in use, and what it is called."""

    backend: KeyringBackend
    name: str


def choose() -> Chosen:
    """Resolve the backend as the keyring library does, and judge it. Blocks: it speaks to D-Bus.

    Raises:
        KeyringMisnamedError: what the environment or keyringrc.cfg names cannot be loaded.
        KeyringAbsentError: nothing is there.
        KeyringRefusedError: what is there must not hold a password.
    """
    # A warning of the library's would be written across the screen.
    logging.getLogger("keyring").addHandler(logging.NullHandler())
    core = importlib.import_module("keyring.core")
    try:
        backend: KeyringBackend = core.get_keyring()
    except (ImportError, AttributeError, ValueError, TypeError, RuntimeError, OSError, configparser.Error) as error:
        raise _misnamed(error) from None
    return judge(backend)


def judge(backend: KeyringBackend) -> Chosen:
    """Give the concrete backend when it is one of ALLOWED, or the first of a chain of such.

    Raises:
        KeyringAbsentError: the backend is the one that only says that there is none.
        KeyringRefusedError: it, or a member of the chain, is none of ALLOWED.
    """
    name = _class_name(backend)
    if name == _FAIL:
        title = "There is no keyring in this session"
        hint = f"Start one (GNOME Keyring, KWallet, KeePassXC) and open the run again. {_OTHERWISE}"
        raise KeyringAbsentError(title, "Nothing that keeps passwords answers here.", hint)
    if name == _CHAINER:
        return _judge_chain(backend)
    if name not in ALLOWED:
        title = f"The keyring {name} is not used: {_why(name)}"
        raise KeyringRefusedError(title, _chosen_by(), f"Choose another keyring there. {_OTHERWISE}")
    return Chosen(backend, ALLOWED[name])


def _judge_chain(chain: KeyringBackend) -> Chosen:
    members: list[KeyringBackend] = list(getattr(chain, "backends", ()))
    bad = [name for name in map(_class_name, members) if name not in ALLOWED]
    if bad or not members:
        title = "The chain of keyrings is not used: a password could come to rest in any of them"
        detail = "\n".join(f"{name}: {_why(name)}" for name in bad) or "The chain is empty."
        first = next((name for name in map(_class_name, members) if name in ALLOWED), "")
        hint = f"Set {_VARIABLE}={first} to use that one alone." if first else _OTHERWISE
        raise KeyringRefusedError(title, detail, hint)
    return judge(members[0])


def _misnamed(error: Exception) -> KeyringMisnamedError:
    named = os.environ.get(_VARIABLE)
    where = f"{_VARIABLE}={named}" if named is not None else "keyringrc.cfg"
    title = f"The keyring that {where} names cannot be loaded"
    if isinstance(error, ModuleNotFoundError):
        detail = f"There is no Python module {error.name}."
    else:
        detail = f"{type(error).__name__}: {error}"[:200]
    return KeyringMisnamedError(title, detail, f"Mend or remove it. {_OTHERWISE}")


def _class_name(backend: KeyringBackend) -> str:
    kind = type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"


def _why(name: str) -> str:
    if name in _WHY:
        return _WHY[name]
    if name.startswith("keyrings.alt."):
        return "it keeps passwords in a file of its own or asks on the terminal"
    return "nobody vouches for how it keeps a password"


def _chosen_by() -> str:
    if _VARIABLE in os.environ:
        return f"{_VARIABLE} chose it."
    config = importlib.import_module("keyring.util.platform_").config_root() / "keyringrc.cfg"
    return f"{config} chose it." if config.exists() else "It has the highest priority of those installed."
