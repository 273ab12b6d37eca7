"""The stand-ins beside the real daemons, where those are installed."""
