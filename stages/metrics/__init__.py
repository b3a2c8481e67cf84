"""Measures of rankings and of recommendation lists, and the statistics of comparing them (numpy alone)."""
