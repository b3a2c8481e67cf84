"""Models of other libraries on the same sequences, each in an environment of its own, joined to ``cocorec compare``."""
