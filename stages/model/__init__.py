"""Stage model."""
