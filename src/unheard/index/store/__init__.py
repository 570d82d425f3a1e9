"""The training set on disk: a LanceDB table, verified, with the audit's fingerprints beside it."""
