"""The line-mode front end: verbs in, one line a change out, for pipes, dumb terminals and screen readers."""
