"""The study of the perturbation: its path is the agent's, its curvature that of the dense Hessian."""

from __future__ import annotations

import math

import pytest
import torch

from neucb.environments.classification import load
from neucb.experiments.studies import landscape
from neucb.experiments.studies.landscape import convergence_rows
from neucb.experiments.studies.perturbation import largest_c_p, variants
from neucb.experiments.studies.perturbed_network import LR, WIDTH, make, path, played, product, top_curvature


@pytest.mark.parametrize("kl", [False, True])
@pytest.mark.parametrize(("count", "c_p"), [(0, 0.0), (math.inf, 0.3), (3, 0.03)])
def test_the_path_is_the_agents_own(kl: bool, count: float, c_p: float) -> None:
    """As far from theta_0 as the agent's log says, after 60 rounds."""
    encoded = load("iris")
    samples = played(encoded, kl, count, c_p, 60, 0)
    net = make(encoded, 0, kl, count, c_p)
    thetas = path(net, samples, (30, 60))
    assert float((thetas[60] - net.start).norm()) == pytest.approx(samples.distance, rel=1e-4)
    assert not torch.equal(thetas[30], thetas[60])


def test_curvature_is_that_of_the_dense_hessian() -> None:
    encoded = load("iris")
    samples = played(encoded, True, 2, 0.05, 20, 0)
    net = make(encoded, 0, True, 2, 0.05)
    theta, sample = path(net, samples, (20,))[20], samples.first(10)
    H = torch.func.hessian(net.loss)(theta, *sample)
    v = torch.randn(len(theta), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(product(net, theta, sample, v), H @ v)
    largest = torch.linalg.eigvalsh(H).abs().max().item()
    assert abs(top_curvature(net, theta, sample, 200)) == pytest.approx(largest, rel=1e-3)


@pytest.mark.parametrize("count", [1, 4])
def test_signs_add_their_curvature(count: int) -> None:
    """c^2 p / S along a sign vector, within what the other signs' products with it change."""
    encoded = load("iris")
    net, plain = make(encoded, 0, False, count, 0.05), make(encoded, 0, False, 0, 0.0)
    sample = played(encoded, False, 0, 0.0, 10, 0).first(10)
    assert net.signs is not None
    p = len(net.start)
    unit = net.signs[0] / math.sqrt(p)
    added = unit @ product(net, net.start, sample, unit) - unit @ product(plain, net.start, sample, unit)
    assert float(added) == pytest.approx(net.c**2 * p / count, rel=0.05)


def test_the_largest_c_p_by_hand() -> None:
    """S = 4, m = 100, lr = 0.1, p = 8,000: sqrt(2 x 4 x 10 / 800)."""
    assert largest_c_p(4, 0.1, 8000, 100) == pytest.approx(math.sqrt(0.1))


def test_the_cells_of_the_ablation() -> None:
    cells = list(variants(LR, 1000, WIDTH))
    assert cells[0].settings == {}
    assert cells[1].settings == {"c_p": 0.03, "perturbations": math.inf}
    assert cells[3].settings == {"c_p": 0.3, "perturbations": math.inf}
    assert [one.count for one in cells] == [0, *[math.inf] * 4, 1, 1, 3, 3, 10, 10]
    assert cells[-1].settings["perturbations"] == 10
    assert cells[-1].c_p == pytest.approx(0.3 * largest_c_p(10, LR, 1000, WIDTH))


def test_the_pull_of_signs_nears_u_like_the_root_of_p_over_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """(1/S) E' E u - u has mean square |u|^2 (p - 1) / S, of the small network and of a real one."""
    monkeypatch.setattr(landscape, "COUNTS", (10, 100, 1000))
    monkeypatch.setattr(landscape, "STEPS", 100)
    rows = convergence_rows({"iris": load("iris")})
    assert [row["network"] for row in rows] == ["small, p = 40"] * 3 + ["iris, p = 1,600"] * 3
    for row in rows:
        assert row["pull_error"] == pytest.approx(row["sqrt_p_over_S"], rel=0.2)
    small, real = rows[2]["pull_error"], rows[5]["pull_error"]
    assert real / small == pytest.approx(math.sqrt(1600 / 40), rel=0.2)
