"""The item metadata: its formats, the text views, and the cleaning of texts."""
