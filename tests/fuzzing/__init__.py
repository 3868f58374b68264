"""Requests that nobody would write, to a service with something to find: `make fuzz`."""
