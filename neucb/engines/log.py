"""RunLog: the cumulative metrics of a run at log-spaced rounds, as a tidy DataFrame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neucb.core.diagonal import is_view
from neucb.core.metrics import ORACLE_SUMS, log_spaced, oracle_metrics
from neucb.core.spec import Spec

if TYPE_CHECKING:
    import pandas as pd

    from neucb.engines.trace import Trace

SUMS = ("loss", "regret", "L_star", "L_star_realised", *ORACLE_SUMS)
GAUGES = ("parameter_distance", "perturbation_rms")
FIGURES = (*SUMS, "best_fixed_arm_regret", "propensity", *GAUGES)


Progress = Callable[[int], None]  # takes the number of rounds played
Figures = Mapping[str, NDArray[np.float64]]
Kept = tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]  # rounds [n], and metrics [R, n] at these


class RoundLabels(NamedTuple):
    """Class labels, which determine the expected losses of all arms.

    Attributes:
        label: clean labels [R, n] of n rounds.
        expected: expected losses [K, K] of arms (columns) under labels (rows).
    """

    label: NDArray[np.int64]
    expected: NDArray[np.float64]


class RunLog:
    """Log of R replicas: running sums over rounds, with snapshots at log-spaced rounds.

    Columns of the frame, all cumulative up to and including `round`:
        loss: realised loss.
        regret: expected loss of the arms played minus that of the best arms.
        L_star: expected loss of the best arms; L_star_realised: their realised loss.
        regression_loss: (yhat - y)^2 of the played arms, yhat clipped to [0, 1], unhalved.
        regression_log_loss: KL(y || yhat) of the played arms, yhat clipped to [1e-6, 1 - 1e-6].
        squared_regression_regret: (yhat - y)^2 - (h - y)^2 of the played arms, h their expected loss; yhat
            as the rule uses it, not clipped, as in SquareCB's theorem.
        log_regression_regret: KL(y || yhat) - KL(y || h) of the played arms, both clipped as above.
        squared_error: (yhat - h)^2; triangular_error: (yhat - h)^2 / (yhat + h), yhat at least 1e-6: the
            errors in the inequalities of SquareCB's and FastCB's rules. h is 0 or 1 for clean labels.
        best_fixed_arm_regret: regret of the single best arm in hindsight over these rounds.
    Columns that are not sums:
        propensity: mean over these rounds of the probability with which the runner drew the played arm. For
            an agent with its own random draws, such as Thompson sampling, it is conditional on the draw and
            hence 1; see `Trace`.
        parameter_distance: |theta - theta_0| of a network after this round; NaN for networks without
            perturbation and projection (radius), which do not need it.
        perturbation_rms: root mean square over s of the perturbation's offsets f~_s - f after this round,
            c_p m^(-1/4) |theta - theta_0| for infinitely many; 0 for an unperturbed network.
    NaN where unavailable: without expected losses, predictions or a network.

    Attributes:
        spec: shape of the run.
        trace: trace of every round, or None.
        round: number of rounds counted so far.
        sums: name -> [R] cumulative metrics so far.
        arm_losses: [R, K] cumulative expected loss of each arm.
    """

    def __init__(self, spec: Spec, trace: Trace | None = None) -> None:
        self.spec = spec
        self.trace = trace
        self.round = 0
        self._due: list[int] = log_spaced(spec.horizon).tolist()
        zero = np.zeros(spec.replicas)
        self._propensity = zero.copy()  # summed
        self.sums = {name: zero.copy() for name in SUMS}
        self.arm_losses = np.zeros((spec.replicas, spec.arms))
        self._labels = np.zeros((spec.replicas, spec.arms))  # numbers of rounds, where these have labels
        self._kept: list[Kept] = []
        self._last: Kept | None = None

    def keep(self, rounds: Iterable[int]) -> None:
        """Set the logged rounds, in ascending order, in place of log-spaced ones; `close` adds the last."""
        self._due = [*rounds]

    def due_until(self, stop: int) -> list[int]:
        """Return the rounds up to `stop` that are still to be logged."""
        return self._due[bisect_right(self._due, self.round) : bisect_right(self._due, stop)]

    def add(
        self,
        figures: Figures,
        arms: RoundLabels | NDArray[np.float64],
        predicted: NDArray[np.float64] | None,
        propensity: NDArray[np.float64],
        gauges: Mapping[str, NDArray[np.float64]],
    ) -> None:
        """Add a block of n rounds. The log is the same to the bit for any division of a run into blocks.

        Args:
            figures: loss, expected_loss, best_loss and best_realised_loss [R, n]; NaN where unavailable;
                and regret, where it differs from expected_loss - best_loss.
            arms: labels of the rounds, or expected losses [R, n, K] of all arms.
            predicted: predicted losses [R, n] of the played arms, or None.
            propensity: probabilities [R, n] with which the played arms were drawn.
            gauges: `GAUGES` [R, n] after every round; needed in logged rounds.
        """
        loss, h, best = figures["loss"], figures["expected_loss"], figures["best_loss"]
        n = loss.shape[1]
        if n == 0:
            return
        added = {
            "loss": loss,
            "regret": figures["regret"] if "regret" in figures else h - best if best.any() else h,
            "L_star": best,
            "L_star_realised": figures["best_realised_loss"],
            **oracle_metrics(predicted, loss, h),
        }
        due = self.due_until(self.round + n)
        rounds = np.array(due if due and due[-1] == self.round + n else [*due, self.round + n])
        ends = rounds - self.round  # [C] numbers of rounds after which the sums are logged
        rows = _all_sums(self.sums, added, ends)
        drawn = _sums(self._propensity, propensity, ends)
        arm_losses = self._arm_losses(arms, ends)
        self.round += n
        self.sums = {name: values[:, -1].copy() for name, values in rows.items()}
        self.arm_losses, self._propensity = arm_losses[-1], drawn[:, -1].copy()
        rows["best_fixed_arm_regret"] = arm_losses.min(axis=2).T - rows["L_star"]
        rows["propensity"] = drawn / rounds
        rows |= {name: values[:, ends - 1] for name, values in gauges.items()}
        kept = len(due)
        if due:
            self._kept.append((rounds[:kept], {name: values[:, :kept] for name, values in rows.items()}))
        self._last = rounds[-1:], {name: values[:, -1:] for name, values in rows.items()}

    def _arm_losses(
        self, arms: RoundLabels | NDArray[np.float64], ends: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return cumulative expected losses [C, R, K] of all arms after the first ends [C] of n rounds."""
        if not isinstance(arms, RoundLabels):
            R, n, K = arms.shape
            flat = arms.transpose(0, 2, 1).reshape(R * K, n)
            return _sums(self.arm_losses.ravel(), flat, ends).T.reshape(-1, R, K)
        labels = _counts(self._labels, arms.label, ends)  # [C, R, K]
        self._labels = labels[-1]
        if is_view(arms.expected):  # O(K), and exact without noise
            on, off = arms.expected[0, 0], arms.expected[0, 1]
            sums: NDArray[np.float64] = off * labels.sum(axis=2, keepdims=True) - (off - on) * labels
            return sums
        # Integer counts without BLAS: the result is the same to the bit for any blocks and any R.
        losses = np.zeros_like(labels)
        for y, expected in enumerate(arms.expected):
            losses += labels[:, :, y, None] * expected
        return losses

    def close(self) -> None:
        """Log the last round played, also where a run ends early."""
        if self._last is not None and (not self._kept or self._kept[-1][0][-1] != self.round):
            self._kept.append(self._last)

    def gather(self, parts: Sequence[tuple[Sequence[int], RunLog]]) -> None:
        """Copy the counts of other logs, all of the same rounds, into the rows of this run's replicas.

        Args:
            parts: (indices of replicas, log of these replicas); the indices together cover all R.
        """
        first = parts[0][1]
        place = np.argsort(np.concatenate([replicas for replicas, _ in parts]))
        self.round = first.round
        logs = [log for _, log in parts]
        self.sums = {name: np.concatenate([log.sums[name] for log in logs])[place] for name in SUMS}
        self.arm_losses = np.concatenate([log.arm_losses for log in logs])[place]
        kept = {name: np.concatenate([log._figure(name) for log in logs])[place] for name in FIGURES}
        self._kept = [(np.concatenate([numbers for numbers, _ in first._kept]), kept)]
        for replicas, log in parts:
            if self.trace is not None and log.trace is not None:
                self.trace.take(replicas, log.trace)

    def _figure(self, name: str) -> NDArray[np.float64]:
        """Return a metric [R, n] at the logged rounds."""
        return np.concatenate([rows[name] for _, rows in self._kept], axis=1)

    def frame(self, labels: Mapping[str, Any]) -> pd.DataFrame:
        """Return the logged rounds, one row per replica and round, replicas one after the other.

        Args:
            labels: further columns, each one value for all replicas or a tuple with one per replica.
        """
        import pandas as pd

        rounds = np.concatenate([np.empty(0, np.int64), *(numbers for numbers, _ in self._kept)])
        columns: dict[str, Any] = {}
        for name, value in labels.items():
            each = value if isinstance(value, tuple) else (value,) * self.spec.replicas
            columns[name] = np.repeat(np.array(each), len(rounds))
        columns["seed"] = np.repeat(np.array(self.spec.seeds, dtype=np.int64), len(rounds))
        columns["round"] = np.tile(rounds, self.spec.replicas)
        figures = list(FIGURES)
        for name in figures:
            columns[name] = self._figure(name).ravel()
        first = [name for name in ("agent", "dataset", "seed", "round") if name in columns]
        rest = [name for name in columns if name not in (*first, *figures)]
        return pd.DataFrame({name: columns[name] for name in (*first, *figures, *rest)})


def load_sums() -> None:
    """Compile the running sums, or load them from numba's cache, before timing begins."""
    no_ends = np.zeros(0, np.int64)
    _sums(np.zeros(0), np.zeros((0, 0)), no_ends)
    _counts(np.zeros((0, 0)), np.zeros((0, 0), np.int64), no_ends)


def _sums(
    total: NDArray[np.float64], added: NDArray[np.float64], ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return `total` [R] plus sums of the first `ends` [C] columns of `added` [R, n], in order: [R, C]."""
    from neucb.kernels.sums import sums_at  # imports numba

    sums = np.empty((len(total), len(ends)))
    sums_at(total, np.ascontiguousarray(added), ends, sums)
    return sums


def _all_sums(
    totals: Mapping[str, NDArray[np.float64]],
    added: Mapping[str, NDArray[np.float64]],
    ends: NDArray[np.int64],
) -> dict[str, Any]:
    """Return `_sums` of all metrics; equal pairs of arrays are summed once, zeros not at all."""
    known: dict[tuple[int, bytes], Any] = {}
    rows = {}
    for name, total in totals.items():
        key = (id(added[name]), total.tobytes())
        if key not in known:
            some = added[name].any()
            known[key] = _sums(total, added[name], ends) if some else np.repeat(total[:, None], len(ends), 1)
        rows[name] = known[key]
    return rows


def _counts(
    total: NDArray[np.float64], label: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return `total` [R, K] plus the label counts in the first `ends` [C] columns of [R, n]: [C, R, K]."""
    from neucb.kernels.sums import counts_at

    counts = np.empty((len(ends), *total.shape))
    counts_at(total, np.ascontiguousarray(label), ends, counts)
    return counts
