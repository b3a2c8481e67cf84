"""The command line of cocorec: commands, options, progress, tables and exit codes; no arithmetic."""
