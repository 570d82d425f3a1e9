"""What people bring: sounds, tables, published files, experiments, shards, scripts; and how each is read."""

from __future__ import annotations

import inspect
import io
import json
import tarfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.mutations.family import Family

RATE = 16_000

"""torch alone maps several GiB that it never touches."""


def _samples(channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (3_000, channels)).astype(np.float32)


def _sound(container: str, codec: str, channels: int = 1) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, _samples(channels), RATE, format=container, subtype=codec)
    return file.getvalue()


@cache
def sounds() -> dict[str, bytes]:
    found = {
        "a.wav": _sound("WAV", "PCM_16", 2), "b.wav": _sound("WAV", "FLOAT"),
        "c.wav": _sound("WAV", "GSM610"), "a.flac": _sound("FLAC", "PCM_16", 2),
        "a.ogg": _sound("OGG", "VORBIS"), "a.opus": _sound("OGG", "OPUS"),
        "a.mp3": _sound("MP3", "MPEG_LAYER_III", 2), "a.aiff": _sound("AIFF", "PCM_16"),
        "a.au": _sound("AU", "PCM_16"), "a.caf": _sound("CAF", "ALAC_16"), "a.w64": _sound("W64", "PCM_16"),
        "a.rf64": _sound("RF64", "PCM_16"), "a.voc": _sound("VOC", "PCM_16"),
        "a.nist": _sound("NIST", "PCM_16"),
    }  # fmt: skip
    found["joined.ogg"] = found["a.ogg"] * 2
    with suppress(ImportError):
        import av

        file = io.BytesIO()
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=RATE, layout="mono")
            for start in range(0, 3_000, 1024):
                piece = np.ascontiguousarray(_samples(1).T[:, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(piece, "fltp", "mono")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        found["a.m4a"] = file.getvalue()
    return found


ROWS = [
    {
        "path": "a.wav",
        "prompt": "a bell",
        "id": "7",
        "seconds_start": 0.5,
        "seconds_total": 3,
        "licence": "CC0",
    },
    {"path": "drums/b.wav", "caption": "Flügel", "text": ["one", "two"], "seconds_total": None},
    {"file_name": "c.wav", "caption": {"en": "a bell"}, "url": "https://example.org/c"},
]


@cache
def tables() -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet

    def parquet(table: pa.Table) -> bytes:
        file = io.BytesIO()
        pyarrow.parquet.write_table(table, file)
        return file.getvalue()

    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    audio = [{"bytes": sounds()["a.flac"][:400], "path": "a.flac"}, {"bytes": None, "path": "b.wav"}]
    text = 'path,caption,seconds_total\na.wav,"a bell, ü",3\nb.wav,,\n"c d.wav",two\n'
    return {
        "a.jsonl": lines.encode(), "a.csv": text.encode(), "b.csv": text.encode("utf-16"),
        "a.parquet": parquet(pa.table({"path": ["a.wav", "b.wav"], "prompt": ["a", None], "id": [1, 2]})),
        "b.parquet": parquet(pa.table({"audio": audio, "text": [["one", "two"], []]})),
    }  # fmt: skip


@cache
def published() -> dict[str, bytes]:
    entries = {
        f"{number}": {
            "embedding": [round(float(value), 4) for value in np.random.default_rng(number).normal(size=8)],
            "conditioning": {"prompt": "a bell", "seconds_start": 0.0, "seconds_total": 2.5},
        }
        for number in range(3)
    }
    sidecar = json.dumps(
        {"text": ["a bell", "ü"], "seconds_total": 3, "tag": ["x"], "deep": {"a": [1, None]}}
    )
    preset = json.dumps({"guidance": {"kind": "amg", "c1": 1.0}, "guidance_scale": 3.0, "sigma_min": 0.3})
    return {
        "index.json": json.dumps(entries).encode(), "sidecar.json": sidecar.encode(),
        "preset.json": preset.encode(),
    }  # fmt: skip


@cache
def experiments() -> dict[str, bytes]:
    text = """
    model = "tiny"
    seeds = {first = 0, count = 2}
    batch = 2
    metrics = ["replicated", "clap_score"]
    duration = 2.0
    [[prompts]]
    list = ["a bell", "a drum"]
    half = "report"
    [[prompts]]
    set = "memorised"
    select = "1::2"
    [settings.none]
    guidance_scale = 3.0
    [settings.amg]
    guidance = {kind = "amg", c1 = 1.0}
    """
    return {"experiment.toml": text.encode()}


@cache
def shards() -> dict[str, bytes]:
    members = {
        "a.flac": sounds()["a.flac"][:700], "a.json": b'{"caption": "a bell"}', "a.txt": b"x",
        "b.1 (x).wav": sounds()["a.wav"][:300], "b.1 (x).txt": "ü".encode(), "b.2.wav": b"x",
        "deep/c.npy": b"123", "l" * 120 + ".wav": b"long",
    }  # fmt: skip
    made = {}
    for name, mode in (("a.tar", "w"), ("b.tar.gz", "w:gz"), ("c.tar", "w")):
        file = io.BytesIO()
        layout = tarfile.PAX_FORMAT if name == "c.tar" else tarfile.GNU_FORMAT
        with tarfile.open(fileobj=file, mode=mode, format=layout) as shard:  # type: ignore[call-overload]
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                if layout == tarfile.PAX_FORMAT:
                    info.pax_headers = {"comment": "ü" * 40, "mtime": "1.5"}
                shard.addfile(info, io.BytesIO(content))
        made[name] = file.getvalue()
    return made


@cache
@cache
def scripts() -> dict[str, bytes]:
    text = """
    import torch
    cfg_scale, seed = 7, -1
    sample_rate, total_duration = 44100, 4.0
    settings = dict(c1=4, c2=2 + 1, c3=10 ** 2)
    def run(prompt="a bell"):
        conditioning = [{"prompt": prompt, "seconds_start": 0, "seconds_total": total_duration}] * 2
        return my_generate_diffusion_cond(
            model, steps=100, cfg_scale=cfg_scale, conditioning=conditioning, sigma_min=0.3, sigma_max=500,
            sampler_type="my-dpmpp-3m-sde", seed=seed, device="cuda", **settings,
        )
    """
    other = "output = generate_diffusion_cond(model, steps=50, cfg_scale=6, init_audio=(44100, x))"
    return {"amg_infer.py": inspect.cleandoc(text).encode(), "other.py": other.encode()}


def read_sound(path: Path) -> None:
    from unheard import audio
    from unheard.index.building.decoding import Decoded, Job, decode
    from unheard.index.building.recording import Recording

    decoded = decode(Job(Recording("x", str(path)), RATE, None, str(path.parent)))
    if isinstance(decoded, Decoded):
        decoded.close()
    audio.to_mono(audio.read(path)[0])


def read_table(path: Path) -> None:
    from unheard.index.building.ledger import further_json
    from unheard.index.building.manifests import CaptionTable
    from unheard.index.building.recording import Recording
    from unheard.index.building.sources import Sources

    for found in Sources(path):
        if isinstance(found, Recording):
            for text in (found.id, found.source, found.prompt or "", further_json(found.further) or ""):
                text.encode("utf-8")
    CaptionTable(path).describe(Recording("a.wav", "a.wav"), "")


def read_json(path: Path) -> None:
    from unheard.generation.preset import read_preset
    from unheard.index import Index
    from unheard.index.building.sources import Sources

    if path.name == "sidecar.json":
        (path.parent / "sidecar.wav").touch()
        list(Sources(path.parent))
    elif path.name == "preset.json":
        read_preset(path)
    else:
        Index.open(path)


def read_experiment(path: Path) -> None:
    from unheard.evaluation.experiment import Experiment

    Experiment.read(path)


def read_shard(path: Path) -> None:
    from unheard.common.shards import is_available, opened
    from unheard.index.building.recording import Recording
    from unheard.index.building.sources import Sources

    for found in Sources(path):
        if isinstance(found, Recording):
            found.id.encode("utf-8")
            if is_available(found.source):
                opened(found.source).read()


def read_script(path: Path) -> None:
    from unheard.cli.published.script import read_script
    from unheard.cli.published.translation import translate

    json.dumps(translate(read_script(path)).preset)


def read_prompts(path: Path) -> None:
    from unheard.common.prompt_files import read_lines

    for line in read_lines(path):
        line.encode("utf-8")


@cache
def prompts() -> dict[str, bytes]:
    text = "a bell\n\n  Flügel, laut \r\na \u2028 line\n\u202eevil\x1b[31m\n"
    return {"a.txt": text.encode(), "b.txt": text.encode("utf-16"), "c.txt": text.encode("utf-8-sig")}


FAMILIES = {
    "sounds": Family(sounds, read_sound, text=False),
    "tables": Family(tables, read_table),
    "json": Family(published, read_json),
    "toml": Family(experiments, read_experiment),
    "shards": Family(shards, read_shard, text=False),
    "scripts": Family(scripts, read_script),
    "prompts": Family(prompts, read_prompts, text=False),
}
