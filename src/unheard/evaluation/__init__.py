"""The paper's experiment as a command: matched seeds, and witnesses that the guidance never saw.

experiment   what is compared, from a TOML file
prompts      captions to generate, and the halves for development and for report
generating   sounds, batch by batch, and what they depend on
judging      what the audit, the judge and the guide's embedder say of sounds that were handed out
makers       which code and versions made sounds, and a warning where several did
run          both, where they lack, into rows; `ray_engine` on many machines
remaking     a row made again, and why it differs
held_out     sounds that the model never saw; `hearing` keeps what the judge heard
metrics      the measures, one a file; `bootstrap` gives their intervals
summary      rows to a table; `plots` to pictures
space        settings with ranges in place of values
tuning       a search in such spaces; `front` writes what it came to
"""
