"""From recordings to a store, in a way that can be stopped at any moment."""
