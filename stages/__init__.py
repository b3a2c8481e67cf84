"""The stages of cocorec: each one reads files of the contract, computes, and writes files of the contract."""

__version__ = "0.2.0"
