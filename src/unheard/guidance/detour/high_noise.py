"""Down to which noise level the prompt's pull tells anything.

Above it a noisy sound does not say yet which of the training recordings it is made of, so a prediction for
one recording comes from its prompt. Below it the noisy sound says so itself, and both predictions agree.
"""

from __future__ import annotations

import math


def high_noise(values: int, items: int, spread: float = 1.0) -> float:
    """The noise level sigma at which the noise hides which of some items a sound is.

    `values` numbers of deviation `spread` in noise of deviation `sigma` are a Gaussian channel, which carries
    `values / 2 * log(1 + spread^2 / sigma^2)`; to name one of `items` takes `log(items)`. They are equal at

        sigma = spread / sqrt(items^(2 / values) - 1)

    which is where a diffusion collapses onto one training item (Biroli et al. 2024, "Dynamical regimes of
    diffusion models", Nature Communications 15, arXiv 2402.18491).

    Args:
        values: numbers in the latents of one sound, channels times frames; at least 1.
        items: of the training set; fewer than 2 count as 2.
        spread: root mean square of the latents.
    """
    return spread / math.sqrt(math.expm1(2 * math.log(max(items, 2)) / values))
