"""The command line: commands, exit codes, and the composition of a sitting."""
