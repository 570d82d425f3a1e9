"""The way in from the published scripts (Messina et al. 2025) and from stable-audio-tools.

    names         what each of their names is called here
    script        what a script says, read as syntax and never run
    bindings      what its names stand for; `assignments` has what a statement binds
    options       its own options, and their defaults
    readings      what an expression was read as
    translation   what it says, as a preset and a command line

`unheard.cli.import_settings` is the command.
"""
