"""What all stages have in common: their options, the steps around the work, progress, results.

Imports no stage, and of the libraries nothing heavy: commands are made from options without torch or numpy.
"""
