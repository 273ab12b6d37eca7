"""The command line: commands, exit codes, bad input."""
