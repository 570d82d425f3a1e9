"""The paper's experiment as a command: matched seeds, and witnesses that the guidance never saw.

`metrics` holds the measures, one a file; `bootstrap` their intervals.
"""
