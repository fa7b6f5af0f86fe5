"""Kind "propensity": mean probability of the played arms against rounds."""

from __future__ import annotations

from neucb.plots.gauges import Gauge

KIND = Gauge(
    "propensity",
    "mean propensity of the played arms",
    "Propensity: the probability with which the played arm was drawn, mean over rounds 1 to t; "
    "intervals end at 1.",
    most=1.0,
).kind("mean probability of the played arms against rounds")
