"""From recordings to a store: it can be stopped at any moment, and run again.

sources     which recordings: folders, patterns, `manifests`, `shards`; captions in `sidecars`
recording   a recording as its source names it, and what is left out, listed in `rejects`
decoding    from a file to one channel at the embedder's rate; `workers` do it in processes
windows     embedded in batches of one shape
embedded    what came of a recording, to rows
ledger      what is there already, on disk; `notes` are its texts
builder     the build: what is new is decoded, embedded and committed
engine      where that is done: here, or with `ray` on many machines
additions   a few sounds of one's own
heap        memory given back while work goes on
"""
