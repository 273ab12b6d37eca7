"""The command `mailrunbook`, and `python -m runbook_tui`."""

from __future__ import annotations


def main() -> None:
    """Run the command line and end with its exit code."""
    import sys  # noqa: PLC0415 -- everything is imported as late as it can be

    if sys.argv[1:] == ["--version"]:
        # Asked for by scripts again and again: answered before anything else is loaded.
        from runbook_tui import __version__  # noqa: PLC0415

        sys.stdout.write(f"mailrunbook {__version__}\n")
        return
    from runbook_tui.cli.commands import run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
