"""The way in from the published scripts (Messina et al. 2025) and from stable-audio-tools.

    names         what each of their names is called here
    script        what a script says, read as syntax and never run
    translation   what it says, as a preset and a command line

`unheard.cli.import_settings` is the command.
"""
