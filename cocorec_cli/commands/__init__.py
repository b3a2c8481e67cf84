"""One module a verb; each is listed in :mod:`cocorec_cli.main`."""
