"""What each stage costs, against plain implementations of the same: ``python -m benchmarks.train``."""
