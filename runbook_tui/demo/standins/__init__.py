"""The admin commands of daemons that are not there: each acts on the host's real files and the world's servers."""
