"""Searching a training set.

index        `Index`, which is only read
json_index   the JSON file's, which also adds, removes and saves
snapshot     what an index held when it was read: of a store (`stored`), of a JSON file (`entries`)
json_cache   a JSON file that was read before, mapped from the user's cache
vectors      the embeddings in memory, all compared; `approximate` on disk, for millions
captions     which items have the same caption
"""
