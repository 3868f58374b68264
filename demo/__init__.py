"""What `make demo` runs: shipped outputs of a few systems, scored over HTTP by the real service."""
