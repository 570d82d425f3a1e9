"""What everything stands on.

files          files that are written whole or not at all, and their checksums
shards         a sound in a file, or in a tar shard
checks         what a value may be, and what was meant by a misspelt name
content_cache  arrays made of files, by the SHA-256 of the files' content
intervals      of a share that is counted in clusters
progress       how long work says what it is at
imports        one module of a large package, without its others
ray            a Ray cluster, joined or started
"""
