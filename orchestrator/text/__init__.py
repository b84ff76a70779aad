"""Text that people write: files read with care, YAML with the line of every key."""
