"""What everything stands on: files, shards, checks of values, progress, Ray.

files     files that are written whole or not at all, and their checksums
shards    a sound in a file, or in a tar shard
checks    what a value may be, and what was meant by a misspelt name
progress  how long work says what it is at
ray       a Ray cluster, joined or started
"""
