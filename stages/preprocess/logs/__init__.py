"""The interaction log: its formats, its times, and what every reader hands over."""
