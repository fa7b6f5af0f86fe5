"""The loop in blocks, with lookahead, equals the loop that steps the environment round by round."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from numba.core.dispatcher import Dispatcher

from neucb.agents.base import Reduction
from neucb.agents.copying import _parts
from neucb.agents.losses import KL
from neucb.agents.module.oracle import Module, perceptron
from neucb.agents.network.forward import _rows
from neucb.agents.network.lookahead import Block, DeferredLayer, DeferredLayerOnCPU, Scratch
from neucb.agents.network.oracle import Neural
from neucb.agents.network.sparse import FEW, pays
from neucb.agents.network.weights import PlainWeights
from neucb.agents.per_replica import _tensor, per_replica
from neucb.agents.prediction import Prediction, Round
from neucb.agents.protocols import uses_autograd
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES, find_recipe
from neucb.agents.rules.inverse_gap import InverseGap
from neucb.agents.rules.schedules import Power
from neucb.core.errors import DivergedError, InputError
from neucb.core.spec import Spec
from neucb.engines.engine import Lockstep
from neucb.engines.lockstep.block_loop import BlockLoop
from neucb.engines.lockstep.block_record import draw
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.synthetic import WORLDS, SyntheticVectorEnv, WorldSequence
from neucb.environments.table import Table
from neucb.kernels import lookahead
from neucb.runs.api import prepare
from neucb.runs.run import Run
from tests.support.recipes import one_quick_of_each
from tests.support.settings import several
from tests.support.tables import one_hot, toy

ROUNDS = 330  # six blocks and a part of one


def make_run(name: str, dtype: str = "float64", seeds: str = "3,8,5", **arguments: Any) -> Run:
    """Return a run on the torch engine that logs every fifth round."""
    data = arguments.pop("data", None) or one_hot()
    run = prepare(name, data, ROUNDS, seeds, engine="torch", dtype=dtype, **arguments)
    run.log.keep(range(5, ROUNDS + 1, 5))
    return run


def play_both(
    monkeypatch: pytest.MonkeyPatch, name: str, **arguments: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the frames of a run in blocks and in steps."""
    blocks, steps = make_run(name, **arguments), make_run(name, **arguments)
    blocks.play()
    with monkeypatch.context() as patch:
        patch.setattr("neucb.engines.lockstep.loop.make_rounds", lambda *_: None)
        steps.play()
    return blocks.frame(), steps.frame()


SKYLINES = ("best-fixed", "supervised")


@pytest.mark.parametrize(
    "name", one_quick_of_each(name for name in RECIPES if name not in SKYLINES and "replay" not in name)
)
def test_blocks_and_steps_take_the_same_actions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    width = {"width": 16} if any(p.name == "width" for p in RECIPES[name].parameters) else {}
    settings = {**(several(name) if name.startswith(("kl", "sq")) else {}), **width}
    blocks, steps = play_both(monkeypatch, name, settings=settings, label_noise=0.1, drift=(100,))
    pd.testing.assert_frame_equal(blocks, steps, check_exact=False, rtol=1e-7)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kl-perturbed", {"c_p": 2.4, "lr": 0.35, "input_scaling": [0.0, 0.5, 0.3]}),  # folds in most rounds
        ("sq-perturbed", {"c_p": 2.4, "lr": 0.35, "lr_power": 0.0, "input_scaling": 0.0}),
        ("kl", {"input_scaling": [0.0, 0.5, 0.3], "init": "paper"}),
        ("kl", {"radius": [0.5, 2.0, float("inf")]}),
        ("kl", {"depth": 3, "input_scaling": [0.0, 0.5, 0.3]}),
        ("kl-perturbed", {"depth": 2}),
        ("sq", {"updates_per_round": 3}),
        ("kl-perturbed", {"perturbations": 4, "c_p": 0.05}),
    ],
)
def test_blocks_and_steps_agree_for_special_settings(
    name: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, steps = play_both(monkeypatch, name, settings={"width": 16, **settings})
    pd.testing.assert_frame_equal(blocks, steps, check_exact=False, rtol=1e-7)


@pytest.mark.parametrize("data", [one_hot(), toy()], ids=["sparse", "dense"])
@pytest.mark.parametrize("name", ["kl", "sq", "kl-perturbed"])
def test_a_replica_is_the_same_to_the_bit_alone_and_among_32(name: str, data: Table) -> None:
    together, alone = (make_run(name, "float32", seeds=seeds, data=data) for seeds in ("32", "17:18"))
    for run in (together, alone):
        run.play()
    frame = together.frame()
    part = frame[frame["seed"] == 17].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone.frame(), check_exact=True)


def test_sparse_products_equal_dense_ones() -> None:
    draws = np.random.default_rng(0)
    K, B, R, d, width = 3, 5, 4, 9, 20
    x = draws.standard_normal((B, R, d)) * (draws.random((B, R, d)) < 0.3)
    x[0, 1] = 0.0  # a context of zeros; the others have different numbers of nonzero entries
    x[1, 2] = 1.0
    first = torch.from_numpy(draws.standard_normal((R * K, d, width)))
    expected = np.einsum("brd,rkdm->rkbm", x, first.view(R, K, d, width).numpy())
    for sparse in (False, True):
        products = Block(torch.from_numpy(x), None, sparse).through(first, Scratch())
        np.testing.assert_allclose(products.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_scratch_reuses_memory() -> None:
    scratch, like = Scratch(), torch.zeros(1, dtype=torch.float64)
    piece = scratch.take("products", (3, 4), like)
    assert piece.shape == (3, 4)
    assert piece.dtype == torch.float64
    assert scratch.take("products", (5, 2), like).data_ptr() == piece.data_ptr()
    assert scratch.take("rows", (3, 4), like).data_ptr() != piece.data_ptr()
    assert scratch.take("products", (4, 4), like).shape == (4, 4)


def test_sparse_products_are_used_for_sparse_data_only(monkeypatch: pytest.MonkeyPatch) -> None:
    densities = []

    def never(spec: Spec) -> bool:
        densities.append(spec.density)
        return False

    monkeypatch.setattr("neucb.agents.network.oracle.pays", never)
    for data in (one_hot(), toy()):
        make_run("kl", data=data).play()
    sparse, dense = densities[0], densities[-1]
    contexts = encode(one_hot()).contexts
    assert sparse == pytest.approx(np.count_nonzero(contexts) / contexts.size, abs=0.02)
    assert sparse < 0.4 < dense == 1.0
    assert pays(Spec((0,), 2, 5, 10, density=sparse))
    assert not pays(Spec((0,), 2, 5, 10, density=dense))
    assert not pays(Spec((0,), 2, 5, 10, "cuda", density=sparse))


@dataclass(frozen=True)
class Rounds:
    """Inputs of a first layer in a block: 9 rounds, 4 arms, 32 replicas."""

    x: torch.Tensor
    scale: torch.Tensor
    first: torch.Tensor
    delta: torch.Tensor
    arm: torch.Tensor
    rates: torch.Tensor
    factor: torch.Tensor

    @staticmethod
    def draw(d: int, width: int, dtype: str) -> Rounds:
        draws = np.random.default_rng(0)
        K, B, R = 4, 9, 32

        def normal(*shape: int) -> torch.Tensor:
            return torch.from_numpy(draws.standard_normal(shape).astype(dtype))

        x = normal(B, R, d) * torch.from_numpy(draws.random((B, R, d)) < 0.5)
        arm = torch.from_numpy(draws.integers(K, size=(B, R)))
        scale, first, delta = normal(B, R, d).abs(), normal(R, K, d, width), normal(B, R, width)
        rates, factor = (torch.linspace(low, 2 * low, R, dtype=first.dtype) for low in (0.1, 0.5))
        return Rounds(x, scale, first, delta, arm, rates, factor)

    def play(self, kind: type[DeferredLayer], sparse: bool, own: slice) -> list[torch.Tensor]:
        """Return hidden layers and products of replicas, each [R, ...], and the final layer."""
        arms, (B, R) = self.first.shape[1], self.x[:, own].shape[:2]
        layer = self.first[own].clone().flatten(0, 1)
        block = Block(self.x[:, own].contiguous(), self.scale[:, own].contiguous(), sparse)
        ahead = kind(block, layer, Scratch())
        outputs = []
        for b in range(B):
            arm = self.arm[b, own].contiguous()
            blocks = layer.view(R, arms, *layer.shape[1:])[torch.arange(R), arm]
            stale = torch.bmm(block.steps[b].unsqueeze(1), blocks).squeeze(1)
            outputs += [ahead.hidden(b), ahead.product(b, arm, stale)]
            ahead.hidden(b).relu_()  # must not change the next call
            outputs.append(ahead.hidden(b))
            ahead.add(b, arm, self.delta[b, own], self.rates[own])
            if b in (4, 6):
                ahead.multiply(self.factor[own])
            if b % 4 == 1:
                ahead.flush()
        ahead.flush()
        return [*(value.clone() for value in outputs), layer.view(R, arms, *layer.shape[1:])]

    def expected(self) -> list[torch.Tensor]:
        """Return the same for all replicas, with every step applied at once."""
        layer, replicas = self.first.clone(), torch.arange(len(self.first))
        values = []
        for b, (x, arm) in enumerate(zip(self.x, self.arm, strict=True)):
            steps = x * self.scale[b]
            hidden = torch.einsum("rd,rkdm->rkm", x, layer)
            values += [hidden, torch.einsum("rd,rdm->rm", steps, layer[replicas, arm]), hidden]
            moves = self.delta[b] * self.rates.unsqueeze(1)
            layer[replicas, arm] += steps.unsqueeze(2) * moves.unsqueeze(1)
            if b in (4, 6):
                layer *= self.factor.view(-1, 1, 1, 1)
        return [*values, layer]


@pytest.mark.parametrize("kind", [DeferredLayer, DeferredLayerOnCPU])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("width", [100, 400])
def test_lookahead_of_a_replica_is_the_same_to_the_bit_alone_and_among_32(
    kind: type[DeferredLayer], width: int, sparse: bool
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds = Rounds.draw(6, width, "float32")
        together, alone = (rounds.play(kind, sparse, own) for own in (slice(None), slice(17, 18)))
        for joint, single in zip(together, alone, strict=True):
            assert torch.equal(joint[17], single[0])
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("d", [6, FEW + 2])
@pytest.mark.parametrize("kind", [DeferredLayer, DeferredLayerOnCPU])
def test_deferred_steps_equal_immediate_ones(kind: type[DeferredLayer], d: int, sparse: bool) -> None:
    rounds = Rounds.draw(d, 10, "float64")
    for value, expected in zip(rounds.play(kind, sparse, slice(None)), rounds.expected(), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("data", [one_hot(), toy()], ids=["sparse", "dense"])
@pytest.mark.parametrize("name", ["kl", "kl-perturbed"])
def test_nothing_is_compiled_after_loading(name: str, data: Table) -> None:
    run = make_run(name, "float32", data=data)
    run.load()
    kernels = [value for value in vars(lookahead).values() if isinstance(value, Dispatcher)]
    before = [len(kernel.signatures) for kernel in kernels]
    run.play()
    assert [len(kernel.signatures) for kernel in kernels] == before
    assert sum(before) >= 6


def test_blocks_end_at_logged_rounds_unless_these_come_early(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("kl")
    run.log.keep([30, 100, 230])
    ends = []

    def pass_by(self: BlockLoop, left: int, right: int, progress: object) -> None:
        self.log.round = right
        ends.append(right)

    monkeypatch.setattr(BlockLoop, "_block", pass_by)
    run.play()
    assert ends == [30, 78, 126, 174, 222, 270, 318, 330]


def test_both_loops_stop_in_the_same_round_with_the_same_message(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode(toy())
    contexts = encoded.contexts.copy()
    contexts[17, 2] = np.nan
    cases: list[tuple[str, Any, dict[str, Any]]] = [
        ("sq", toy(), {"lr": [0.5, 50.0, 40.0]}),
        ("kl", Encoded(contexts, encoded.labels, encoded.table, encoded.preprocessing), {}),
    ]
    for name, data, settings in cases:
        ends = []
        for in_blocks in (True, False):
            env = ClassificationVectorEnv(data, 3, horizon=1500)
            run = prepare(name, env, None, "3,8,5", engine="torch", settings=settings)
            with monkeypatch.context() as patch:
                if not in_blocks:
                    patch.setattr("neucb.engines.lockstep.loop.make_rounds", lambda *_: None)
                with pytest.raises((DivergedError, InputError)) as caught:
                    run.play()
            ends.append((str(caught.value), run.log.round, run.frame()))
        assert ends[0][:2] == ends[1][:2]
        assert 0 < ends[0][1] < 1500
        pd.testing.assert_frame_equal(ends[0][2], ends[1][2], check_exact=False, rtol=1e-3)


@pytest.mark.parametrize("name", ["kl", "sq-perturbed"])
def test_an_interrupted_block_keeps_the_played_rounds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(played: int) -> None:
        if played == 56:
            raise KeyboardInterrupt

    contexts = torch.as_tensor(encode(one_hot()).contexts[:3], dtype=torch.float64)
    distributions = []
    for in_blocks in (True, False):
        run = make_run(name)
        with monkeypatch.context() as patch:
            if not in_blocks:
                patch.setattr("neucb.engines.lockstep.loop.make_rounds", lambda *_: None)
            with pytest.raises(KeyboardInterrupt):
                run.play(stop)
        assert run.log.round == 56 == run.frame()["round"].max()
        distributions.append(cast("Lockstep", run.player).agent.distribution(contexts))
    torch.testing.assert_close(distributions[0], distributions[1], rtol=1e-9, atol=1e-12)


def searched(p: np.ndarray, uniforms: np.ndarray) -> list[int]:
    """Return the arms by binary search in the cumulative sums, the last possible arm above them."""
    arms = []
    for row, uniform in zip(p, uniforms, strict=True):
        arm = int(np.searchsorted(np.cumsum(row), uniform, side="right"))
        arms.append(min(arm, int(np.flatnonzero(row > 0.0)[-1])))
    return arms


def test_arms_are_drawn_by_cumulative_sums() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(5), 400) * (rng.random((400, 5)) < 0.7)
    p[:, 0] += 1.0 - p.sum(1)
    uniforms = rng.random(400)
    short = np.array([[0.25, 0.25, 0.5 - 1e-9, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0 - 1e-9]])  # below 1
    p, uniforms = np.concatenate([p, short, short]), np.concatenate([uniforms, [1.0 - 1e-12] * 2, [0.0] * 2])
    drawn = draw(torch.from_numpy(p), torch.from_numpy(uniforms).unsqueeze(1))
    assert drawn.squeeze(1).tolist() == searched(p, uniforms)
    assert drawn[-4:].squeeze(1).tolist() == [2, 4, 0, 4]


@pytest.mark.parametrize("end", ["whole", "interrupted"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kl", {}),
        ("sq", {"input_scaling": 0.0}),
        ("kl-perturbed", {"c_p": 0.5}),
        ("kl", {"updates_per_round": 3}),
        ("kl", {"depth": 2}),
    ],
)
def test_an_agent_that_has_played_can_train_and_take_gradients(
    name: str, settings: dict[str, Any], end: str, tmp_path: Path
) -> None:
    def stop(played: int) -> None:
        if end == "interrupted" and played == 56:
            raise KeyboardInterrupt

    _tensor.cache_clear()
    _rows.cache_clear()
    run = make_run(name, settings={"width": 16, **settings})
    with contextlib.suppress(KeyboardInterrupt):
        run.play(stop)
    agent = cast("Any", run.playing)
    contexts = torch.as_tensor(encode(one_hot()).contexts[:3], dtype=torch.float64)
    with torch.no_grad():
        for arm in (0, 1, 0):
            before = agent.distribution(contexts)
            agent.update(contexts, torch.full((3,), arm), torch.ones(3, dtype=torch.float64))
            assert not torch.equal(before, agent.distribution(contexts))
        agent.oracle.weights.distance()
    agent.oracle.forward(contexts.requires_grad_()).output.sum().backward()
    assert contexts.grad is not None
    assert bool((contexts.grad != 0.0).any())
    run.agent.save(tmp_path / "agent.safetensors")
    for cached in (per_replica(agent.oracle.lr, 3), _rows(3, contexts.device)):
        assert not cached.is_inference()


@pytest.mark.parametrize("name", RECIPES)
def test_an_agent_that_has_played_holds_no_tensor_of_the_inference_mode(name: str) -> None:
    cases: list[dict[str, Any]] = [{}] if name in SKYLINES else [{}, {"delay": 3}]
    for late in cases:
        run = make_run(name, **late)
        run.play()
        assert not any(isinstance(part, torch.Tensor) and part.is_inference() for part in _parts(run.player))


def test_user_defined_parts_play_outside_inference_mode() -> None:
    @dataclass(frozen=True)
    class Own:
        def __call__(self, prediction: Prediction, now: Round) -> torch.Tensor:
            assert not torch.is_inference_mode_enabled()
            return torch.softmax(-prediction.mean.double(), 1)

    def adam(parameters: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=0.01)

    module = Module(perceptron(width=8), KL(), adam)
    agents = [Reduction(Neural(KL(), PlainWeights(), width=8), Own()), Reduction(module, InverseGap(Power()))]
    for agent in agents:
        assert uses_autograd(agent)
        prepare(agent, one_hot(), 40, 2, engine="torch").play()
    assert not uses_autograd(make_agent(find_recipe("kl")))


@pytest.mark.parametrize("world", sorted(WORLDS))
@pytest.mark.parametrize("agent", ["linucb", "kl", "squarecb", "uniform"])
def test_worlds_are_played_as_they_are_stepped(
    world: str, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, trace included; 130 rounds are two whole blocks and a part of one."""
    found = []
    for known in (True, False):
        env = SyntheticVectorEnv(world, 3, horizon=130, arms=3, features=5)
        settings = {"kl": {"width": 8}, "uniform": {}}.get(agent, {"covariance": "diagonal"})
        run = prepare(agent, env, seeds=(4, 9, 2), trace="full", settings=settings)
        with monkeypatch.context() as patch:
            if not known:
                patch.setattr("neucb.engines.lockstep.loop.make_rounds", lambda *_: None)
            run.play()
        found.append((run.frame(), run.trace()))
    for first, second in zip(*found, strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_rounds_of_a_world_do_not_depend_on_the_blocks() -> None:
    env = SyntheticVectorEnv("teacher", 1, horizon=20, arms=3, features=4)
    whole = WorldSequence(env, 7).draw(20)
    parts = WorldSequence(env, 7)
    drawn = [parts.draw(n) for n in (1, 7, 12)]
    for i in range(2):
        np.testing.assert_array_equal(whole[i], np.concatenate([one[i] for one in drawn]))
