"""FALCON's doubling epochs: their ends, gamma within them, and learning at their ends."""

from __future__ import annotations

import math

import pytest
import torch

from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import Squared
from neucb.agents.rules.formulas import epoch_start
from neucb.agents.rules.schedules import Doubling
from neucb.agents.wrappers.epochs import Epochs
from neucb.core.spec import Spec
from tests.support.rounds import ARMS, FEATURES, now, rounds


def test_epochs_end_at_powers_of_two() -> None:
    assert [epoch_start(t) for t in range(1, 18)] == [0, 0, 2, 2, 4, 4, 4, 4, *[8] * 8, 16]


def test_gamma_is_constant_within_an_epoch() -> None:
    schedule = Doubling((1.0, 0.5))
    assert schedule(now(2), 3).tolist() == [1.0, 1.0]
    for t in (5, 8):
        assert schedule(now(t), 3).tolist() == pytest.approx([math.sqrt(12), 0.5 * math.sqrt(12)])


def test_the_oracle_learns_all_samples_at_the_end_of_an_epoch() -> None:
    delayed, free = Epochs(Linear(Squared())), Linear(Squared())
    for oracle in (delayed, free):
        oracle.reset(Spec((0, 1), ARMS, FEATURES, 16))
    probe = rounds(2, 1, seed=1)[0][0]
    before = delayed.predict(probe).mean
    for t, (x, action, target) in enumerate(rounds(2, 16), start=1):
        reused = x.clone()
        delayed.update(reused, action, target)
        reused.zero_()  # environments may reuse their memory
        free.update(x, action, target)
        after = delayed.predict(probe).mean
        if t in (2, 4, 8, 16):
            torch.testing.assert_close(after, free.predict(probe).mean)
        else:
            assert torch.equal(after, before)
        before = after


def test_passes_repeat_the_samples_of_an_epoch() -> None:
    repeated, free = Epochs(Linear(Squared()), epochs=2), Linear(Squared())
    for oracle in (repeated, free):
        oracle.reset(Spec((0,), ARMS, FEATURES, 2))
    samples = rounds(1, 2)
    for x, action, target in samples:
        repeated.update(x, action, target)
    for x, action, target in samples + samples:
        free.update(x, action, target)
    torch.testing.assert_close(repeated.predict(samples[0][0]).mean, free.predict(samples[0][0]).mean)
