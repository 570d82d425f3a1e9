"""The columns of what an experiment writes: a row a sound, of how it was made and of how it was judged.

The judge is the embedder that no guidance uses; the guide is the one that guidance uses. `target` is the
training item of the prompt, `nearest` any training item, and `replication` the larger of the two
similarities. What was not measured is empty.
"""

from __future__ import annotations

import pyarrow as pa

from unheard.evaluation.metrics import OF_CAPTIONS

ORIGIN = "origin"
"""The metadata of a part that tell what its sounds were made of and on, in JSON."""
EXPERIMENT = "experiment"
"""The metadata of the rows that tell what experiment they belong to, in JSON."""

_SIMILARITIES = [
    (f"{embedder}_{which}_similarity", pa.float64())
    for embedder in ("guide", "judge")
    for which in ("target", "nearest", "replication")
]

_HEARD = [
    ("heard_instrument", pa.string()), ("heard_family", pa.string()),
    ("heard_tempo", pa.float64()), ("heard_key", pa.string()),
    *((name, pa.bool_()) for name in OF_CAPTIONS),
]  # fmt: skip
_MEASURED = [("onsets", pa.int64())] + [
    (name, pa.float64())
    for name in ("active_seconds", "loudness", "liveliness", "own_likeness", "residue", "nearer_than_others")
]
"""What `unheard.auditing.liveliness` and `metrics.residue` say of a sound, and what they say it by."""

GENERATED = pa.schema(
    [(name, pa.string()) for name in ("prompt", "audio", "audio_sha256")]
    + [(name, pa.int64()) for name in ("seed", "position", "acted")]
    + [("fallback", pa.string()), ("prompt_weight", pa.float64())]
    + [(name, pa.float64()) for name in ("duration", "seconds", "peak_memory")]
    + [("trace_similarity", pa.list_(pa.float64())), ("trace_measure", pa.list_(pa.string()))]
    + [("batch_prompts", pa.list_(pa.string())), ("batch_seeds", pa.list_(pa.int64())),
       ("error", pa.string())]
)  # fmt: skip
"""What is known of a sound before it is judged.

`acted` counts the steps in which the guidance acted. `fallback` is the caption that took the place of the
prompt, "" where it went on without any, and `prompt_weight` what was left of the prompt.

`trace_similarity` has what the guidance measured, a value a step, and `trace_measure` says what each value
is: not all are similarities, but that is the column's name in every table written so far.
"""

JUDGED = pa.schema(
    [("verdict", pa.string()), ("reason", pa.string()), ("replays", pa.string()),
     ("replicated", pa.bool_()), ("replicated_target", pa.bool_()), ("collapsed", pa.bool_())]
    + _SIMILARITIES
    + _HEARD
    + _MEASURED
    + [(name, pa.float64()) for name in ("score", "clap_score", "judging_seconds")]
    + [("embedding", pa.list_(pa.float32()))]
)  # fmt: skip
"""What is said of a sound; empty where it failed.

`reason` is why the audit could not judge it or why it collapsed, `replays` the reference that the audit found
it to replay most, `collapsed` whether too little of it is left, by the audit or by its liveliness,
`heard_...` what the listener hears, `..._kept` whether the caption says so (see `metrics.kept`), `embedding`
the judge's.
"""

ROWS = pa.schema(
    [(name, pa.string()) for name in ("model", "setting", "prompt", "group")]
    + [(name, pa.string()) for name in ("batch", "audio", "audio_sha256")]
    + [("seed", pa.int64()), ("position", pa.int64())]
    + [(name, pa.string()) for name in ("verdict", "reason", "replays")]
    + [("replicated", pa.bool_()), ("replicated_target", pa.bool_()), ("collapsed", pa.bool_())]
    + [("acted", pa.int64()), ("fallback", pa.string()), ("prompt_weight", pa.float64())]
    + _SIMILARITIES
    + _HEARD
    + _MEASURED
    + [(name, pa.float64()) for name in ("score", "clap_score", "seconds", "judging_seconds", "peak_memory")]
    + [("embedding", pa.list_(pa.float32()))]
    + [("trace_similarity", pa.list_(pa.float64())), ("trace_measure", pa.list_(pa.string()))]
    + [("batch_prompts", pa.list_(pa.string())), ("batch_seeds", pa.list_(pa.int64())),
       ("duration", pa.float64()), ("error", pa.string())]
)  # fmt: skip
"""`generations.parquet`: both, and what the sound is called in the experiment."""
