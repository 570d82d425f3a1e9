"""The paper's experiment as a command: matched seeds, and judges that the guidance never saw.

experiment       what is compared, from a TOML file
settings         its settings: a base, and small differences from it
prompts          captions to generate, and the halves for development and for report
space            settings with ranges in place of values
batch            sounds that are made together, and what became of them
generator        makes batches, and knows what they depend on
judges           what the audit, the judge and the guide's embedder say of sounds that were handed out
engine           who does this work: `local_engine` this process, `ray_engine` many machines
run              both, where they lack, into rows
columns          the columns of these rows, and of what they are merged from
results_folder   what lies there so far
code_version     which code and versions made sounds, and a warning where several did
reproduce        a row made again, and why it differs
held_out         sounds that the model never saw; `recording_embeddings` caches the judge's embeddings
ordinary         the same sounds as what others are as lively as; `caption_groups` finds those of a kind
own_recording    how near a sound is to its prompt's own recording, against others of that kind
metrics          the measures, one a file; `bootstrap` gives their intervals
outcomes         what became of each sound: copied, collapsed, clear, left open, failed
summary          rows to a table; `summary_files` writes it, `plots` draws pictures
tuning           a search in such spaces; `pareto` writes what it came to
"""
