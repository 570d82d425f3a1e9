"""The exit codes of the program; 0 is well done."""

DIFFERENT = 1
"""`audit compare` found differences, none of them for the worse."""
ERROR = 2
FOUND = 3
"""A copy was found where someone asked to be told so: `audit --fail-on`, `generate --reject`."""
UNTOLD = 4
"""`audit --fail-on` found no copy, but there are sounds of which it cannot say whether they are copies."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
