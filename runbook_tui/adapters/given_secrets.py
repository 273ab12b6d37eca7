"""`--secrets-fd N`: passwords as one JSON object on a descriptor that the caller hands down, read once."""

from __future__ import annotations

import json
import os
import select
import time
from typing import TYPE_CHECKING, Any, Final

from runbook_tui.core.errors import UsageError
from runbook_tui.core.secret import Secret
from runbook_tui.core.secret_names import check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTION: Final = "--secrets-fd"
LONGEST: Final = 1 << 20
"""Bytes; far beyond any sheet of passwords."""

PATIENCE: Final = 10.0
"""Seconds until the writer must have closed its end."""


def read_given(descriptor: int) -> dict[str, Secret]:
    """Read `{"NAME": "VALUE", …}` from the descriptor to its end, and close it so that no child inherits it.

    No sentence quotes what was read.

    Raises:
        UsageError: the descriptor is not open or is a standard stream, more than LONGEST came, its end did not come
            within PATIENCE, or what came is no JSON object of texts.
    """
    if descriptor <= 2:
        raise UsageError(f"{OPTION} {descriptor}: that is a standard stream", hint=_hint())
    try:
        os.fstat(descriptor)
    except (OSError, OverflowError):
        raise UsageError(f"{OPTION} {descriptor}: this descriptor is not open", hint=_hint()) from None
    try:
        data = _read(descriptor)
    except OSError as error:
        raise UsageError(f"{OPTION} {descriptor} cannot be read", error.strerror or "", _hint()) from None
    finally:
        os.close(descriptor)
    return {name: Secret(name, value, OPTION) for name, value in _parse(data, descriptor).items()}


def _read(descriptor: int) -> bytes:
    """Raise OSError, or UsageError for too much or too slow."""
    data, end = b"", time.monotonic() + PATIENCE
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise UsageError(f"{OPTION} {descriptor}: its writer did not close it within {PATIENCE:g} s", hint=_hint())
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return data
        data += chunk
        if len(data) > LONGEST:
            raise UsageError(f"{OPTION} {descriptor}: more than {LONGEST >> 20} MiB came", hint=_hint())


def _parse(data: bytes, descriptor: int) -> Mapping[str, str]:
    try:
        found = json.loads(data, object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise UsageError(f"{OPTION} {descriptor}: what came is not UTF-8", hint=_hint()) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise UsageError(f"{OPTION} {descriptor}: what came is no JSON", where, _hint()) from None
    except RecursionError:
        raise UsageError(f"{OPTION} {descriptor}: what came is no JSON object of texts", hint=_hint()) from None
    if not isinstance(found, dict) or not all(_is_text(value) for value in found.values()):
        raise UsageError(f"{OPTION} {descriptor}: what came is no JSON object of texts", hint=_hint())
    for name in found:
        check_name(name)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UsageError(f"{OPTION}: a name comes twice", hint=_hint())
    return found


def _is_text(value: object) -> bool:
    """Whether it is a text that can be sent: not empty, no lone surrogates."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hint() -> str:
    return f'It is handed down open for reading: {OPTION} 3 3< <(what prints {{"NAME": "VALUE"}}).'
