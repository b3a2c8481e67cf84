"""Stage embed."""
