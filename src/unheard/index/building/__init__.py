"""From recordings to a store: it can be stopped at any moment, and run again."""
