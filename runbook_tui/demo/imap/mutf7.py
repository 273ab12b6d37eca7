"""Mailbox names as IMAP and Maildir++ spell them: modified UTF-7, RFC 3501 section 5.1.3."""

from __future__ import annotations

import binascii
import re

_SHIFTED = re.compile(r"&([^-]*)-")
_UNSAFE = re.compile(r"&|[^\x20-\x7e]+")


def encode(name: str) -> str:
    """Give a name's ASCII spelling: `Entwürfe` becomes `Entw&APw-rfe`."""

    def shift(match: re.Match[str]) -> str:
        text = match[0]
        if text == "&":
            return "&-"
        coded = binascii.b2a_base64(text.encode("utf-16-be"), newline=False).rstrip(b"=")
        return f"&{coded.decode().replace('/', ',')}-"

    return _UNSAFE.sub(shift, name)


def decode(name: str) -> str:
    """Give the name that an ASCII spelling stands for.

    Raises:
        ValueError: it is no modified UTF-7, or not in the one spelling a name has.
    """

    def unshift(match: re.Match[str]) -> str:
        coded = match[1].replace(",", "/")
        if not coded:
            return "&"
        return binascii.a2b_base64(coded + "=" * (-len(coded) % 4)).decode("utf-16-be")

    text = _SHIFTED.sub(unshift, name)
    if encode(text) != name:
        raise ValueError(f"{name}: not valid mUTF-7")
    return text
