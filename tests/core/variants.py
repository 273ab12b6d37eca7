"""A runbook of variants for two systems and of steps that repeat for each mailbox, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.markdown import read

if TYPE_CHECKING:
    from runbook_tui.core.model import Runbook

BOOK = """---
runbook:
  version: 1
  hosts:
    old: {ssh: root@old.server.tld, name: old.server.tld}
    new: {ssh: root@new.server.tld, name: new.server.tld, os: debian}
  literals:
    plop: {var: user, match: '[a-z]+', word: true}
  lists:
    mailboxes: {ask: "Users to copy"}
---
# Move

## Prepare

- Stop the mail service <!-- step: #stop host=old -->

  ```sh {#stop-freebsd .run os=freebsd}
  service postfix stop
  ```

  ```sh {.verify os=freebsd}
  service postfix status
  ```

  ```sh {.verify os=debian}
  systemctl is-active postfix
  ```

  ```sh {.undo os=freebsd}
  service postfix start
  ```

  ```sh {#stop-debian .run os=debian}
  systemctl stop postfix
  ```

- Set the name <!-- step: #name -->

  ```sh {#name-freebsd .run host=new os=freebsd}
  sysrc hostname=new
  ```

## Copy

- Copy the mail <!-- step: #copy host=old each="user in mailboxes" -->

  ```sh {#fetch .run}
  rsync ~plop/Maildir/ new:~plop/
  ```

  ```sh {.verify}
  test -d /home/plop
  ```

  ```sh {#count .run needs=fetch}
  find ~plop/Maildir
  ```

- Look at it <!-- step: #look -->

  ```sh {.run host=old needs=fetch}
  true
  ```
"""


def variants(**changes: str) -> Runbook:
    """Read the runbook; each change is of what its name stands for: `old` or `mailboxes`, more of its entry."""
    text = BOOK
    if more := changes.get("old"):
        text = text.replace("name: old.server.tld}", f"name: old.server.tld, {more}}}")
    if more := changes.get("mailboxes"):
        text = text.replace('"Users to copy"}', f'"Users to copy", {more}}}')
    runbook = read(text.encode(), name="move.md")
    assert not runbook.problems
    return runbook
