"""What a text tells, as questions about it with their answers."""
