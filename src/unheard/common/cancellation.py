"""Channels that cancel: when the mean of a sound's channels is no longer the sound.

A channel that is another turned over (antiphase stereo, a microphone wired the wrong way) leaves silence in
the mean. So the power of the mean is compared with what unrelated channels would leave in it, in stretches
of `STRETCH` samples, since a part of a sound may cancel alone. What is in phase, unrelated, or in one channel
only does not cancel. No torch in here.
"""

from __future__ import annotations

import numpy as np

CANCELLED = 0.01
"""Power of the mean below which a stretch is cancelled, as a share of what unrelated channels leave."""
LOST = 0.1
"""Share of a sound's power in cancelled stretches from which its channels cancel."""
STRETCH = 1 << 14
"""Samples of a stretch: 0.3 to 1 s."""


class ChannelPowers:
    """Powers of a sound's channels and of their mean; the sound comes block by block."""

    def __init__(self, channels: int) -> None:
        self._whole = np.zeros(channels)
        self._lost = 0.0
        self._stretch = np.zeros(channels + 1)  # of the mean and of the channels, in the stretch under way
        self._filled = 0

    def add(self, block: np.ndarray, mean: np.ndarray) -> None:
        """Count a block [frames, channels] and the mean of its channels [frames]."""
        position = 0
        while position < len(block):
            part = slice(position, position + STRETCH - self._filled)
            rows = [mean[part], *block[part].T]
            self._stretch += [np.dot(row, row) for row in rows]
            self._filled += len(rows[0])
            position += len(rows[0])
            if self._filled == STRETCH:
                self._close()

    def loudest_instead(self) -> int | None:
        """The channel with the most power, where the channels cancel; None where their mean is the sound."""
        self._close()
        return int(self._whole.argmax()) if self._lost > LOST * self._whole.sum() else None

    def _close(self) -> None:
        mean, channels = self._stretch[0], self._stretch[1:]
        if mean < CANCELLED * channels.sum() / len(channels) ** 2:
            self._lost += channels.sum()
        self._whole += channels
        self._stretch[:] = 0.0
        self._filled = 0
