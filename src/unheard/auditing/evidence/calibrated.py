"""A kind of evidence whose scores were calibrated together with those of others."""

from __future__ import annotations

from typing import Any, ClassVar

from unheard.auditing import calibration


class Calibrated:
    """The rates of a kind by its name in a calibration.

    Args:
        bounds: the calibration; the package's own if left out.
    """

    name: ClassVar[str]

    def __init__(self, bounds: calibration.Calibration | None = None) -> None:
        self.bounds = bounds or calibration.default()

    @property
    def calibration(self) -> dict[str, Any]:
        """What the null distributions were measured on, and how."""
        return {"name": self.bounds.name, **self.bounds.made_by}

    def false_alarm_rate(self, score: float) -> float:
        """See `Null.false_alarm_rate`."""
        return self.bounds.kinds[self.name].false_alarm_rate(score)

    def expected_false_alarms(self, score: float, comparisons: int) -> float:
        """See `Null.expected_false_alarms`."""
        null, relatives = self.bounds.kinds[self.name], self.bounds.assumed_relatives
        return null.expected_false_alarms(score, comparisons, relatives)
