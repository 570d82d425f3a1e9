"""The training set on disk, in a folder or an object store.

table            a LanceDB table, one row a window; `rows` has its columns and digests
embedder_record  which embedder made it
fingerprints     the audit's, in a table beside it
verification     everything read, and compared with what was written
repair           a commit that a power cut tore is taken back
lance            what LanceDB leaves to its users: errors in one line, conflicts tried again
causes           what an object store's error comes down to
locations        where the recordings lie, from wherever one asks
uri              where an index is, and whether it is a store
"""
