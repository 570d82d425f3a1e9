"""From a request to sounds, with what it takes to make them again."""
