"""One module a verb; each is registered in :mod:`cocorec_cli.main`."""
