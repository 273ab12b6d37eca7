"""What tests start and stop: servers on loopback, keys, configuration files."""
