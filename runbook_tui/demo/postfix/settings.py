"""main.cf: how it is read and edited, what holds where it says nothing, and what a value means (postconf(5))."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.demo.host import Host

FREEBSD_PATHS: Mapping[str, str] = {
    "alias_maps": "hash:/etc/aliases",
    "command_directory": "/usr/local/sbin",
    "daemon_directory": "/usr/local/libexec/postfix",
    "data_directory": "/var/db/postfix",
    "html_directory": "/usr/local/share/doc/postfix",
    "mailq_path": "/usr/local/bin/mailq",
    "manpage_directory": "/usr/local/share/man",
    "meta_directory": "/usr/local/libexec/postfix",
    "newaliases_path": "/usr/local/bin/newaliases",
    "readme_directory": "/usr/local/share/doc/postfix",
    "sample_directory": "/usr/local/etc/postfix",
    "sendmail_path": "/usr/local/sbin/sendmail",
    "setgid_group": "maildrop",
    "shlib_directory": "/usr/local/lib/postfix",
}
"""What the FreeBSD port was built with, as far as it differs from parameters.cf, which is Debian's."""

SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class ConfigurationError(Exception):
    """main.cf cannot be read, or a value in it makes no sense; the text is what Postfix would say."""


class Edit(StrEnum):
    """What `postconf` may do to main.cf, named by its options."""

    SET = "e"
    COMMENT_OUT = "#"
    EXCLUDE = "X"


def read_main_cf(text: str, name: str) -> dict[str, str]:
    """Read logical lines: `#` starts a comment line, leading white space continues, the last setting wins.

    Raises:
        ConfigurationError: a line has no `=`; `name` is the file's name in the sentence.
    """
    logical: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and logical:
            logical[-1] = (logical[-1][0], f"{logical[-1][1]} {line.strip()}")
        else:
            logical.append((number, line.strip()))
    values = {}
    for number, line in logical:
        key, equals, value = line.partition("=")
        if not equals:
            raise ConfigurationError(f"{name}, line {number}: missing '=' after attribute name: \"{line}\"")
        values[key.strip()] = value.strip()
    return values


def edited(text: str, edit: Edit, wanted: Mapping[str, str]) -> str:
    """Give main.cf after `postconf -e`, `-#` or `-X`; comments stay, even inside a value that goes.

    `wanted` maps names to values, which count for `Edit.SET` only.
    """
    lines = []
    found: set[str] = set()
    touched = False
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            lines.append(line)
            continue
        if not line[0].isspace():
            name = re.split(r"[\s=]", line, maxsplit=1)[0]
            touched = name in wanted
            if touched and edit is Edit.SET and name not in found:
                lines.append(f"{name} = {wanted[name]}")
                found.add(name)
        if not touched:
            lines.append(line)
        elif edit is Edit.COMMENT_OUT:
            lines.append(f"#{line}")
    if edit is Edit.SET:
        lines += [f"{name} = {value}" for name, value in wanted.items() if name not in found]
    return "".join(f"{line}\n" for line in lines)


@cache
def built_in() -> Mapping[str, str]:
    """What Postfix 3.7 takes where main.cf is silent, as `postconf -d` prints it on Debian."""
    text = Path(__file__).with_name("parameters.cf").read_text(encoding="utf-8")
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in text.splitlines())}


@dataclass(frozen=True, slots=True)
class Settings:
    """main.cf over the defaults of a host."""

    values: Mapping[str, str]
    defaults: Mapping[str, str] = field(repr=False)
    _expanded: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, host: Host, values: Mapping[str, str]) -> Settings:
        """Put `values` over what Postfix finds out about a host by itself."""
        own = {
            "config_directory": host.layout.postfix,
            "myhostname": host.fqdn,
            # mynetworks_style=host; never the subnet: in the world everybody is on it, the senders outside as well
            "mynetworks": f"127.0.0.1/32 {host.address}/32",
            "process_id": "1",
            "process_name": "postconf",
        }
        hostname = values.get("myhostname", host.fqdn)
        own["mydomain"] = hostname.partition(".")[2] or "localdomain"
        paths = FREEBSD_PATHS if host.layout.system == "freebsd" else {}
        return cls(values, {**built_in(), **paths, **own})

    @classmethod
    def read(cls, host: Host) -> Settings:
        """Read the host's main.cf.

        Raises:
            ConfigurationError: there is none, or it is broken.
        """
        name = f"{host.layout.postfix}/main.cf"
        try:
            text = host.path(name).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise ConfigurationError(f"open {name}: {error.strerror}") from None
        return cls.of(host, read_main_cf(text, name))

    def known(self, name: str) -> bool:
        """Whether Postfix has a parameter of that name."""
        return name in self.defaults

    def unused(self) -> list[str]:
        """Give the names in main.cf that nothing reads: most often a slip of the pen."""
        used = {name for value in self.values.values() for name in re.findall(r"\$[{(]?(\w+)", value)}
        return [name for name in self.values if not self.known(name) and name not in used]

    def raw(self, name: str) -> str:
        """Give a parameter's text, macros unexpanded; empty when there is no such parameter."""
        return self.values.get(name, self.defaults.get(name, ""))

    def get(self, name: str) -> str:
        """Give a parameter's value, macros expanded.

        Raises:
            ConfigurationError: macros that call each other without end.
        """
        if name not in self._expanded:
            self._expanded[name] = expand(self.raw(name), self.raw)
        return self._expanded[name]

    def words(self, name: str) -> list[str]:
        """Give a list's members: comma or white space between them, braces hold together."""
        return [word for word in re.findall(r"(?:\{[^}]*\}|[^\s,{])+", self.get(name)) if word]

    def flag(self, name: str) -> bool:
        """Give a yes or no."""
        return self.get(name).lower() == "yes"

    def number(self, name: str) -> int:
        """Give a number.

        Raises:
            ConfigurationError: it is none.
        """
        value = self.get(name)
        if not value.isdigit():
            raise ConfigurationError(f"bad numerical configuration: {name} = {value}")
        return int(value)

    def seconds(self, name: str) -> int:
        """Give a duration in seconds; without a unit it has the unit of the default.

        Raises:
            ConfigurationError: it is no duration.
        """
        value = self.get(name)
        found = re.fullmatch(r"(\d+)([smhdw]?)", value)
        if found is None:
            raise ConfigurationError(f"parameter {name}: bad time value or unit: {value}")
        return int(found[1]) * SECONDS[found[2] or self.defaults.get(name, "s")[-1]]


_COMPARISONS: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip
_PARTS = {"{": "}", "(": ")"}


def expand(text: str, value: Callable[[str], str], depth: int = 0) -> str:
    """Expand `$name`, `${name}`, `${name?then}`, `${name:else}` and `${{a} <level {b} ? {then} : {else}}`.

    Raises:
        ConfigurationError: nested too deep, or a brace is not closed.
    """
    if depth > 20:
        raise ConfigurationError(f'unreasonable macro call nesting: "{text}"')
    done = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        done.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following in _PARTS:
            end = _closing(text, dollar + 1)
            done.append(_macro(text[dollar + 2 : end].strip(), value, depth))
            at = end + 1
        elif name := re.match(r"\w+", text[dollar + 1 :]):
            done.append(expand(value(name[0]), value, depth + 1))
            at = dollar + 1 + name.end()
        else:
            done.append("$")
            at = dollar + (2 if following == "$" else 1)
    return "".join([*done, text[at:]])


def _macro(body: str, value: Callable[[str], str], depth: int) -> str:
    if body.startswith("{"):
        left, rest = _operand(body)
        comparison = re.match(r"\s*(<=|>=|==|!=|<|>)(?:level)?\s*", rest)
        if comparison is None:
            raise ConfigurationError(f'unexpected macro operator: "{body}"')
        right, rest = _operand(rest[comparison.end() :])
        sides = [_level(expand(side, value, depth + 1)) for side in (left, right)]
        holds = _COMPARISONS[comparison[1]](sides[0], sides[1])
    else:
        name = re.match(r"\w+", body)
        rest = body[name.end() :] if name else body
        found = expand(value(name[0] if name else ""), value, depth + 1)
        if not rest:
            return found
        holds = bool(found)
    then, otherwise = _branches(rest)
    return expand(then if holds else otherwise, value, depth + 1)


def _branches(rest: str) -> tuple[str, str]:
    rest = rest.strip()
    if rest.startswith(":"):
        return "", _operand(rest[1:].strip())[0]
    then, rest = _operand(rest[1:].strip())
    return then, _operand(rest.strip()[1:].strip())[0] if rest.strip() else ""


def _operand(text: str) -> tuple[str, str]:
    if not text.startswith("{"):
        return text, ""
    end = _closing(text, 0)
    return text[1:end].strip(), text[end + 1 :]


def _closing(text: str, start: int) -> int:
    opening = text[start]
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == opening) - (text[at] == _PARTS[opening])
        if not depth:
            return at
    raise ConfigurationError(f'truncated macro reference: "{text}"')


def _level(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
