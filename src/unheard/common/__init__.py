"""What everything stands on.

files             files that are written whole or not at all, and their checksums
regular_files     files that are opened to be read: no pipes, no devices
texts             bytes as text, as well as they can be read; numbers of things in words
structured_files  JSON and TOML files, of a bounded size
prompt_files      texts of one line each from a file
afar              files at a URI
left_out          what was left out of some work, by reason
shards            a sound in a file, or in a tar shard
sound_endings     the one list of sound files' endings
sound_containers  what a sound file's container announces: its end, and joined sounds
sound_decoding    a sound file decoded block by block
sound_limits      how much is read of one sound
callbacks         what is raised while a C library calls Python, and would be lost
cancellation      channels whose mean is no longer the sound
checks            what a value may be, and what was meant by a misspelt name
content_cache     arrays made of files, by the SHA-256 of the files' content
intervals         of a share that is counted in clusters
progress          how long work says what it is at
memory            what nothing uses any more, given back to the system
imports           one module of a large package, without its others
model_libraries   what diffusers and transformers need only for other models
ray               a Ray cluster, joined or started
"""
