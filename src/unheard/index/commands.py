"""What one does with an index, each a function, as each is a command of `unheard index`.

Without an embedder the bundled guide is taken, so that all of it runs offline.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unheard.common.checks import require_whole
from unheard.common.files import locked
from unheard.common.progress import Report
from unheard.errors import IndexFileError, InputError
from unheard.index.clustering import CAPTION_THRESHOLD, SOUND_THRESHOLD
from unheard.index.searching.index import Index, Item
from unheard.index.searching.json_index import JSONIndex
from unheard.index.store.table import Store
from unheard.index.store.uri import checked_uri, is_local, is_store

if TYPE_CHECKING:
    import torch

    from unheard.embedders import Embedder
    from unheard.index.building.builder import Built
    from unheard.index.clustering.clusters import Duplicates
    from unheard.index.published.exchange import Exported, Imported


@dataclass(frozen=True)
class Info:
    """What is in an index.

    Attributes:
        uri: where it is.
        items, windows: recordings, and embeddings of them.
        silent: windows without a meaningful direction, which answer no search.
        uncaptioned: items without a caption, from which caption deduplication cannot steer away.
        seconds: of sound, by the ends of the windows.
        embedder: who made the embeddings, as far as it is recorded.
        version: number of its newest commit; None for a JSON file.
        checksum: of its content, as provenance records it.
        approximate: of the approximate index, with its recall; None if none was built.
    """

    uri: str
    items: int
    windows: int
    silent: int
    uncaptioned: int
    seconds: float | None
    embedder: dict[str, Any]
    version: int | None
    checksum: str
    approximate: dict[str, Any] | None


def build(
    sources: str | Path | Iterable[str | Path],
    uri: str | Path,
    *,
    captions: str | Path | None = None,
    embedder: str | Path | Embedder | None = None,
    device: str = "auto",
    workers: int | None = None,
    engine: Literal["local", "ray"] = "local",
    ray_address: str | None = None,
    strict: bool = False,
    prune: bool = False,
    ann: bool = False,
    progress: Report | None = None,
) -> Built:
    """Embed recordings into an index on disk; run again, it embeds what is new or changed.

    Args:
        sources: folders, manifests, shards, sounds or patterns, see `unheard.index.building.sources.Sources`.
        uri: a folder, or an object store's URI such as s3://bucket/index.
        captions: a manifest that tells more of sounds in folders.
        embedder: a CLAP by name or folder, or an `Embedder`; None for the bundled guide.
        device: where the embedder runs.
        workers: processes that decode; None for one a core, 0 for none beside this one. Ray has its own.
        engine: "ray" builds on a Ray cluster, see `unheard.index.building.ray`.
        ray_address: of the cluster; None to start Ray on this machine.
        strict, prune, progress: see `unheard.index.building.builder.build_store`.
        ann: also build the approximate index, for more windows than are compared exactly.

    Raises:
        InputError: a source that is none, or nothing can be written, or (`strict`) cannot be read.
        IndexFileError: the index is damaged, or was made by another embedder.
        ModelError: the embedder cannot be loaded.
    """
    from unheard.index.building.builder import build_store
    from unheard.index.building.engine import local_engine
    from unheard.index.building.sources import Sources

    if engine not in ("local", "ray"):
        raise InputError(f"the engine is local or ray, not {engine!r}")
    if ray_address is not None and engine != "ray":
        raise InputError(f"the address of a Ray cluster, {ray_address!r}, goes with the engine ray only")
    found = Sources(sources, captions)
    Store.exists(uri)  # a path that cannot be is found out before the embedder is loaded
    loaded = _embedder(embedder, device)
    if engine == "ray":
        from unheard.index.building.ray import ray_engine

        chosen = ray_engine(loaded, ray_address)
    else:
        chosen = local_engine(loaded, workers)
    built = build_store(found, uri, loaded, chosen, strict=strict, prune=prune, progress=progress)
    if ann:
        from unheard.index.searching.approximate import build_approximate

        try:
            build_approximate(uri)
        except InputError as error:  # what was built stays built, and is searched exactly
            warnings.warn(str(error), stacklevel=2)
    return built


def add(
    uri: str | Path,
    sounds: str | Path | Iterable[str | Path],
    *,
    caption: str | None = None,
    embedder: str | Path | Embedder | None = None,
    device: str = "auto",
    progress: Report | None = None,
) -> Built:
    """Embed sounds into an index on disk, made if it is not there.

    Ids are the files' names, with a number where another sound has the name already; a sound that is there
    is not added again.

    Args:
        uri: a folder, or an object store's URI.
        sounds: files, folders or patterns, as for `build`.
        caption: of all these sounds, instead of what lies beside them.
        embedder, device, progress: as for `build`.

    Raises:
        InputError: a source that is none, or nothing can be written.
        IndexFileError: the index is damaged, or was made by another embedder.
        ModelError: the embedder cannot be loaded.
    """
    from unheard.index.building.additions import NewSounds
    from unheard.index.building.builder import build_store
    from unheard.index.building.engine import local_engine

    loaded = _embedder(embedder, device)
    with ExitStack() as until_the_end:
        if is_local(checked_uri(uri)):
            # So that no other `add` takes the same ids meanwhile; builds know theirs beforehand.
            until_the_end.enter_context(locked(checked_uri(uri)))
        store = Store.open(uri) if Store.exists(uri) else None
        found = NewSounds(sounds, caption, store)
        return build_store(found, uri, loaded, local_engine(loaded, workers=0), progress=progress)


def remove(uri: str | Path, ids: Sequence[str]) -> int:
    """Remove items from an index on disk or from a JSON file; returns how many of the ids were there.

    Raises:
        InputError: nothing can be written, no id is given, or a JSON file would be left without entries.
        IndexFileError: there is no such index, or it is damaged.
    """
    if not ids:
        raise InputError("nothing to remove; name one id or more")
    if is_store(uri):
        return Store.open(uri).remove(ids)
    with JSONIndex.changing(uri) as index:
        return index.remove(ids)


def unknown_ids(uri: str | Path, ids: Iterable[str]) -> list[str]:
    """Those of some ids that an index on disk or a JSON file does not have, each once.

    Raises:
        IndexFileError: there is no such index, or it is damaged.
    """
    asked = list(dict.fromkeys(ids))
    if is_store(uri):
        known = set(Store.open(uri).where(asked, ["id"])["id"].to_pylist()) if asked else set()
    else:
        known = set(Index.open(uri).ids)
    return [identifier for identifier in asked if identifier not in known]


def search(
    uri: str | Path | Index,
    *,
    audio: str | Path | None = None,
    text: str | None = None,
    k: int = 10,
    embedder: str | Path | Embedder | None = None,
    device: str = "auto",
) -> list[tuple[Item, float]]:
    """The items nearest to a sound or to a text, and their similarities.

    Args:
        uri: an index on disk, a JSON file, or an `Index`.
        audio: a sound file; or
        text: what to look for, in words.
        k: how many items, at least 1.
        embedder: must be the one that made the index.
        device: where the embedder runs.

    Raises:
        InputError: not one of `audio` and `text`, an empty text, a `k` below 1, or a sound that cannot
            be read.
        IndexFileError: the index cannot be read, or was made by another embedder.
    """
    from unheard.audio import read

    require_whole("k", k, 1)
    if (audio is None) == (text is None):
        raise InputError("search by a sound or by a text, one of the two")
    if text is not None and not text.strip():
        raise InputError("the text to search by is empty: describe a sound in a few words")
    index = uri if isinstance(uri, Index) else Index.open(uri)
    loaded = _embedder(embedder, device)
    index.check_embedder(loaded)
    if text is not None:
        (query,) = loaded.embed_text([text])
    else:
        import torch

        waveform, sample_rate = read(str(audio))
        with torch.no_grad():
            (query,) = loaded.embed_audio(waveform[None], sample_rate)
    return index.nearest(query, k)


def info(uri: str | Path) -> Info:
    """What is in an index on disk or in a JSON file.

    Raises:
        IndexFileError: it cannot be read.
    """
    if is_store(uri):
        return _info_of_store(Store.open(uri))
    index = Index.open(uri)
    return Info(
        uri=str(uri),
        items=index.items,
        windows=len(index),
        silent=0,
        uncaptioned=len(index.uncaptioned),
        seconds=None,
        embedder=asdict(index.embedder),
        version=None,
        checksum=index.sha256,
        approximate=None,
    )


def _info_of_store(store: Store) -> Info:
    import pyarrow as pa
    import pyarrow.compute as pc

    from unheard.index.searching.approximate import record

    silent = uncaptioned = 0
    ends = []
    for batch in store.batches(["id", "window", "window_end", "prompt", "silent"], 1 << 16):
        silent += batch["silent"].true_count
        first = pc.equal(batch["window"], 0)
        uncaptioned += sum(
            not (caption or "").strip() for caption in batch["prompt"].filter(first).to_pylist()
        )
        ends.append(batch.select(["id", "window_end"]))
    none = pa.schema([("id", pa.string()), ("window_end", pa.float64())])
    rows = pa.Table.from_batches(ends) if ends else none.empty_table()
    lengths = rows.group_by("id").aggregate([("window_end", "max")])["window_end_max"]
    approximate = record(store)
    return Info(
        uri=store.uri,
        items=len(lengths),
        windows=len(store),
        silent=silent,
        uncaptioned=uncaptioned,
        seconds=pc.sum(lengths).as_py() or 0.0,
        embedder=asdict(store.embedder),
        version=store.version,
        checksum=store.checksum,
        approximate=None if approximate is None else asdict(approximate),
    )


def verify(uri: str | Path) -> list[str]:
    """What is wrong with an index, one sentence each; empty for a sound one. See `Store.verify`."""
    if is_store(uri):
        return Store.open(uri).verify()
    try:
        Index.open(uri)
    except IndexFileError as error:
        return [str(error)]
    return []


def import_json(
    path: str | Path,
    uri: str | Path,
    *,
    embedder_name: str | None = None,
    progress: Report | None = None,
) -> Imported:
    """Read a file in the published format into an index on disk, which is made if it is not there.

    An import that was stopped can be run again: entries that are there already, with the same content, are
    passed over. Where an entry is malformed the import ends; those before it stay.

    Args:
        path: the JSON file, of any size.
        uri: folder or object store's URI.
        embedder_name: who made the embeddings, where the file does not say.
        progress: called with bytes read and the file's size.

    Raises:
        IndexFileError: the file is malformed (names the id), an id occurs twice or is in the
            index with another content, or the embeddings are of another embedder than the index.
        InputError: nothing can be written.
    """
    from unheard.index.published import exchange

    return exchange.import_json(path, uri, embedder_name=embedder_name, progress=progress)


def export_json(uri: str | Path, path: str | Path, *, progress: Report | None = None) -> Exported:
    """Write an index on disk as a file in the published format, wholly or not at all.

    Numbers are written with the digits of float64, as the published files have them: exactly the float32 of
    the index. A recording of several windows is written with the mean of their directions at unit length, as
    `embed_audio` gives it; silent windows do not count in it.

    Args:
        uri: folder or object store's URI.
        path: the file to write.
        progress: called with rows read and their number.

    Raises:
        IndexFileError: the index cannot be read.
        InputError: the file cannot be written, or there is nothing to write.
    """
    from unheard.index.published import exchange

    return exchange.export_json(uri, path, progress=progress)


def duplicates(
    uri: str | Path,
    *,
    sound_threshold: float = SOUND_THRESHOLD,
    caption_threshold: float = CAPTION_THRESHOLD,
    minimum_size: int = 2,
    device: str | torch.device = "cpu",
    progress: Report | None = None,
) -> Duplicates:
    """The clusters of near-identical items of an index, on disk or in a JSON file.

    Silent windows are left out. Long recordings count by their windows: recordings that share a passage make
    a cluster, whatever else is in them. Memory is twice that of the embeddings.

    Args:
        uri: a folder, an object store's URI or a JSON file.
        sound_threshold: cosine from which two sounds are near-identical, above 0, to 1.
        caption_threshold: likeness from which two captions are; 1 for the same words.
        minimum_size: items that a cluster has at least.
        device: where sounds are compared.
        progress: called with the windows that have been compared with all, and how many there are.

    Raises:
        InputError: a threshold or the size is out of range.
        IndexFileError: the index cannot be read.
    """
    from unheard.index.clustering.clusters import find_duplicates

    return find_duplicates(
        uri,
        sound_threshold=sound_threshold,
        caption_threshold=caption_threshold,
        minimum_size=minimum_size,
        device=device,
        progress=progress,
    )


def _embedder(given: str | Path | Embedder | None, device: str) -> Embedder:
    """As it is given, or loaded; None is the bundled guide."""
    from unheard.backbones import resolve_device
    from unheard.embedders import BUNDLED_EMBEDDER, load_embedder

    if given is not None and not isinstance(given, str | Path):
        return given
    return load_embedder(BUNDLED_EMBEDDER if given is None else given, device=resolve_device(device))
