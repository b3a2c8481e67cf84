"""Stage preprocess."""
