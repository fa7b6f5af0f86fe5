"""Kind "distance": distance of network parameters from their initial values against rounds."""

from __future__ import annotations

from neucb.plots.gauges import Gauge

KIND = Gauge(
    "parameter_distance",
    "parameter distance",
    "Distance: |theta - theta_0| of the network after round t.",
).kind("distance of network parameters from their initial values against rounds")
