"""Kind "distance": distance of networks from their start against rounds."""

from __future__ import annotations

from neucb.plots.gauges import Gauge

KIND = Gauge(
    "parameter_distance",
    "distance from the start",
    "Distance: |theta - theta_0| of the network after round t.",
).kind("distance of networks from their start against rounds")
