"""`python -m unheard` is the command `unheard`."""

from unheard.cli import main

main(prog_name="unheard")
