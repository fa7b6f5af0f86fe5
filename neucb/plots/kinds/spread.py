"""Kind "spread": root mean square of the perturbation against rounds."""

from __future__ import annotations

from neucb.plots.gauges import Gauge

KIND = Gauge(
    "perturbation_rms",
    "spread of the perturbation",
    "Spread: root mean square of the perturbation's offsets after round t.",
).kind("spread of the perturbation against rounds")
