"""Named sets of options: TOML files beside this one, with a table per command as in any configuration file."""
