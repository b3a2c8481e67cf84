"""The contract between the stages: file names, schemas, lineage, whole-or-nothing writing and checked reading.

The README documents the files. This package imports numpy and pyarrow, and no stage.
"""
