"""What a large report costs: its size, the time to write it, and the time until a browser shows it.

    python -m benchmarks.report --findings 1000

Made-up findings of one kind: recordings that `tiny` brings, each with a little noise on it, of 4 s at 16 kHz.
The times are processor time of one process, and milliseconds in Chromium from the request to the first paint,
on a screen of 1,440 px, the median of five.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from unheard import audio
from unheard.auditing import Audit, FileAudit, Match, Part
from unheard.auditing.report.report import write_report
from unheard.backbones.hub import fetch

ROOT = Path(__file__).parents[1]
SECONDS = 4.0


class Recordings:
    """References that are named by their paths."""

    def read(self, reference: str) -> tuple[object, int]:
        return audio.read(reference)


def finding(sound: Path, recording: Path) -> FileAudit:
    """A sound that replays a recording as a whole."""
    match = Match(
        reference=str(recording), reference_path=str(recording), caption=recording.stem, verdict="copy",
        score=9.0, score_needed=1.6, score_possible=None, false_alarm_rate=1e-6, expected_false_alarms=1e-6,
        evidence=(Part("altered copies", 9.0, 1e-6),), start=0.0, end=SECONDS, reference_start=0.0,
        reference_end=SECONDS, share=1.0, shift=0.0, stretch=1.0, transposition=0.0,
        embedding_similarity=None, found_by=("fingerprint",),
    )  # fmt: skip
    return FileAudit(
        str(sound), "copy", score=9.0, matches=(match,), duration=SECONDS, sample_rate=16_000, share=1.0
    )


def sounds(recordings: list[Path], count: int, folder: Path) -> list[FileAudit]:
    """Findings, one a sound, of recordings taken by turns."""
    noise, found = np.random.default_rng(0), []
    for number in range(count):
        recording, path = recordings[number % len(recordings)], folder / f"{number}.wav"
        samples, rate = soundfile.read(recording, dtype="float32")
        soundfile.write(path, samples + 0.02 * noise.standard_normal(samples.shape), rate)
        found.append(finding(path, recording))
    return found


def first_paints(page: Path) -> list[float]:
    """Milliseconds to the first paint, opened five times in a browser that runs already."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import chromium, until

    paints = "return performance.getEntriesByType('paint').map((each) => each.startTime)"
    found, browser = [], chromium(reaches=())
    for _ in range(5):
        browser.get("about:blank")
        browser.get(page.as_uri())
        found.append(until(lambda: browser.execute_script(paints), "the first paint")[0])
    browser.quit()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--findings", type=int, default=1000)
    options = parser.parse_args()
    recordings = sorted((fetch("tiny") / "memorised").glob("*.flac"))
    with tempfile.TemporaryDirectory(prefix="unheard-report-") as folder:
        found = sounds(recordings, options.findings, Path(folder))
        began = time.process_time()
        audited = Audit(tuple(found), {"name": "tiny", "items": len(recordings)})
        page = write_report(audited, Recordings(), Path(folder) / "report")
        spent = time.process_time() - began
        written = [file.stat().st_size for file in page.parent.rglob("*") if file.is_file()]
        paint = statistics.median(first_paints(page))
    print(
        f"{options.findings:,} findings: {sum(written) / 1e6:.1f} MB in {len(written):,} files, "
        f"{spent:.0f} s of processor time, first paint after {paint:.0f} ms"
    )


if __name__ == "__main__":
    main()
