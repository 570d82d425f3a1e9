"""What is raised while libsndfile asks Python for bytes: it reaches whoever reads or writes the sound."""

from __future__ import annotations

import io
import signal
import sys
import threading
from typing import Any

import numpy as np
import pytest
import soundfile

from unheard.common.callbacks import raised_afterwards
from unheard.common.sound_decoding import EncodedSound


class Failing(io.BytesIO):
    """A sound in a file that does something else at one of its reads."""

    def __init__(self, at: int, happens: Any) -> None:
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, 200_000)
        soundfile.write(content := io.BytesIO(), samples, 16_000, format="FLAC")
        super().__init__(content.getvalue())
        self.reads, self.at, self.happens = 0, at, happens

    def read(self, *size: Any) -> bytes:
        self.reads += 1
        if self.reads == self.at:
            self.happens()
        return super().read(*size)


def failing_disk() -> None:
    raise OSError(5, "Input/output error")


def reads_of_a_whole_sound() -> int:
    file = Failing(0, None)
    assert sum(map(len, EncodedSound(file, "a.flac").blocks())) == 200_000
    return file.reads


@pytest.mark.parametrize(
    ("happens", "raised"),
    [(lambda: signal.raise_signal(signal.SIGINT), KeyboardInterrupt), (failing_disk, OSError)],
)
def test_what_happens_at_any_read_is_raised(
    happens: Any, raised: type[BaseException], capfd: pytest.CaptureFixture[str]
) -> None:
    for at in range(1, reads_of_a_whole_sound() + 1):
        with pytest.raises(raised):
            list(EncodedSound(Failing(at, happens), "a.flac").blocks())
    assert capfd.readouterr().err == ""  # nor does Python print a traceback on its own


def test_an_interrupt_in_a_write_is_raised() -> None:
    class Interrupted(io.BytesIO):
        def write(self, content: Any) -> int:
            signal.raise_signal(signal.SIGINT)
            return super().write(content)

    with pytest.raises(KeyboardInterrupt), raised_afterwards():
        soundfile.write(Interrupted(), np.zeros(1000), 16_000, format="FLAC")


def test_another_thread_leaves_the_hook_alone() -> None:
    hook = sys.unraisablehook
    seen: list[Any] = []

    def work() -> None:
        with raised_afterwards():
            seen.append(sys.unraisablehook)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [hook]
    with raised_afterwards():
        assert sys.unraisablehook is not hook
    assert sys.unraisablehook is hook
