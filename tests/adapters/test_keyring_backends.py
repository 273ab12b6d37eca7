"""Which keyring backends are refused, whoever chose them: with a sentence, and with nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import keyrings
from tests.support.keyrings import Home, KeyringSession
from tests.support.plaintext_keyring import FILE

if TYPE_CHECKING:
    from pathlib import Path

    from keyring.backend import KeyringBackend

CHOICE = "PYTHON_KEYRING_BACKEND"
PLAINTEXT = "tests.support.plaintext_keyring.PlaintextKeyring"


@pytest.mark.parametrize(("chosen", "error", "part"), [
    ("keyring.backends.null.Keyring", "KeyringRefusedError", "it keeps nothing, and says that it did"),
    (PLAINTEXT, "KeyringRefusedError", "nobody vouches for how it keeps a password"),
    ("keyring.backends.fail.Keyring", "KeyringAbsentError", "There is no keyring in this session"),
    ("keyring.backends.chainer.ChainerBackend", "KeyringRefusedError", "The chain of keyrings is not used"),
    ("no.such.Keyring", "KeyringMisnamedError", f"{CHOICE}=no.such.Keyring names cannot be loaded"),
    ("keyring.backends.null.Nothing", "KeyringMisnamedError", "cannot be loaded"),
    ("nodots", "KeyringMisnamedError", "cannot be loaded"),
    ("", "KeyringMisnamedError", "cannot be loaded"),
    ("keyring.backends.SecretService.Keyring", "KeyringMisnamedError", "cannot be loaded"),
    ("keyring.backends.macOS.Keyring", "KeyringMisnamedError", "cannot be loaded"),
])  # fmt: skip
def test_a_choice_of_the_environment_is_judged(tmp_path: Path, chosen: str, error: str, part: str) -> None:
    """What PYTHON_KEYRING_BACKEND names is refused for its own reason; nothing of the value is on the disk."""
    home = Home(tmp_path / "home", {CHOICE: chosen})
    with home.caller() as caller:
        said = caller.do("set", value="the_PassWord")
    assert said["error"] == error
    assert part in said["title"]
    assert not (home.path / FILE).exists()


def test_a_choice_of_keyringrc_is_judged(tmp_path: Path) -> None:
    """What keyringrc.cfg names is refused, and the sentence names that file; a broken file is one too."""
    home = Home(tmp_path / "home")
    config = home.path / ".config/python_keyring/keyringrc.cfg"
    config.parent.mkdir()
    config.write_text("[backend]\ndefault-keyring=keyring.backends.null.Keyring\n")
    with home.caller() as caller:
        said = caller.do("get")
    assert said["error"] == "KeyringRefusedError"
    assert str(config) in said["detail"]
    config.write_text("this is no configuration\n")
    with home.caller() as caller:
        assert caller.do("get")["error"] == "KeyringMisnamedError"


def test_no_keyring_at_all(tmp_path: Path) -> None:
    """Without a bus there is none, and the sentence says what else there is; nothing is written on standard error."""
    home = Home(tmp_path / "home")
    done = home.run("secret", "set", "imap plop", stdin="the_PassWord\n")
    assert done.returncode == 4
    assert "There is no keyring in this session" in done.stderr
    assert "Traceback" not in done.stderr
    assert "the_PassWord" not in done.stdout + done.stderr


@pytest.mark.skipif(bool(keyrings.MISSING), reason=keyrings.WHY_SKIPPED)
def test_a_chain_with_a_member_that_is_not_allowed(tmp_path: Path) -> None:
    """A backend that was installed beside the secret service makes a chain: it is refused, and each member named."""
    plugin = tmp_path / "site" / "plain-1.0.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 1.0\n")
    (plugin / "entry_points.txt").write_text("[keyring.backends]\nplain = tests.support.plaintext_keyring\n")
    with KeyringSession(tmp_path / "home") as session:
        with session.caller() as caller:
            assert caller.do("set", value="the_PassWord")["value"]
        session.more["PYTHONPATH"] = f"{keyrings.ROOT}:{tmp_path / 'site'}"
        with session.caller() as caller:
            said = caller.do("get")
        assert said["error"] == "KeyringRefusedError"
        assert PLAINTEXT in said["detail"]
        assert f"{CHOICE}=keyring.backends.SecretService.Keyring" in said["hint"]
        session.more[CHOICE] = "keyring.backends.SecretService.Keyring"
        with session.caller() as caller:
            assert caller.do("get")["value"] == "the_PassWord"
        assert not (session.path / FILE).exists()


@pytest.mark.parametrize("name", ["keyrings.alt.file.PlaintextKeyring", "keyrings.alt.file.EncryptedKeyring"])
def test_keyrings_alt_is_refused(name: str) -> None:
    """The backends of keyrings.alt keep files of their own or ask on the terminal: each is refused by its name."""
    from runbook_tui.adapters.keyring_backends import KeyringRefusedError, judge  # noqa: PLC0415 -- its class is made
    from tests.support.plaintext_keyring import PlaintextKeyring  # noqa: PLC0415 -- here, under another name

    module, _, kind = name.rpartition(".")
    fake = type(kind, (PlaintextKeyring,), {"__module__": module, "__qualname__": kind})
    backend: KeyringBackend = fake()
    with pytest.raises(KeyringRefusedError, match=kind):
        judge(backend)
