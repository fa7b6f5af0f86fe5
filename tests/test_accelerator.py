"""The torch engine on an accelerator: the same numbers as on the CPU, also where blocks are repeated.

Most of it plays on a pretended device (tests/pretend.py); the last tests need a GPU.
"""

from __future__ import annotations

import gc
import json
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import neucb
from neucb.agents.base import Reduction
from neucb.agents.losses import KL, _mixture
from neucb.agents.module.oracle import Module, perceptron
from neucb.agents.per_replica import _tensor
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules.inverse_gap import EpsilonGreedy
from neucb.agents.state import take_state
from neucb.core.errors import DivergedError
from neucb.core.spec import Spec
from neucb.engines.lockstep.block_record import Played, Rows
from neucb.engines.lockstep.recording import Repeating
from neucb.runs.api import prepare
from neucb.runs.run import Run
from tests import pretend
from tests.test_engines import one_hot, several
from tests.test_run import toy

BLOCK = 12  # in the place of 48: the pretended device is slow
ROUNDS = 63
KEPT = (25, ROUNDS)  # a block that is launched comes between the one recorded and those repeated
SKYLINES = ("best-fixed", "supervised")  # play in steps

LOOKS = "it looks at numbers"  # an agent that goes on one way or another
DRAWS = "it needs the number of the round"  # one that draws on the host, by the round's number
WITHOUT = {
    "kl-perturbed-replay": LOOKS,
    "sq-perturbed-replay": LOOKS,
    "neural-falcon": LOOKS,
    "falcon": LOOKS,
    "neural-bootstrap": LOOKS,
    "bagging": LOOKS,
    "exp4": LOOKS,
    "neural-ts": DRAWS,
    "neural-linear": DRAWS,
    "lints": DRAWS,
    "logistic-ts": DRAWS,
}
SMALL = {"width": 16, "replay": 3, "members": 3}


def small(name: str) -> dict[str, int]:
    """Return settings that make a recipe quick."""
    known = {one.name for one in RECIPES[name].parameters}
    return {
        key: value for key, value in SMALL.items() if key in known and (key != "replay" or "replay" in name)
    }


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have a pretended device and graphs of it."""
    monkeypatch.setattr("neucb.runs.api.check_device", lambda device: None)
    monkeypatch.setattr(
        "neucb.engines.lockstep.block_loop.make_graph",
        lambda device: pretend.PretendedGraph() if device == pretend.NAME else None,
    )
    monkeypatch.setattr("neucb.engines.lockstep.block_loop.BLOCK", BLOCK)
    monkeypatch.setattr(pretend.PretendedGraph, "replays", 0)
    with pretend.device() as name:
        yield name


def job(name: str, device: str, **arguments: Any) -> Run:
    kept, rounds = arguments.pop("kept", KEPT), arguments.pop("rounds", ROUNDS)
    data = arguments.pop("data", None) or one_hot()
    arguments = {"dtype": "float64", "engine": "torch", "device": device, **arguments}
    run = prepare(name, data, rounds, "3,8,5", **arguments)
    run.log.keep(kept)
    return run


def assert_same(name: str, device: str, **arguments: Any) -> None:
    """Play on the CPU and on the device."""
    runs = [job(name, one, **arguments) for one in ("cpu", device)]
    for run in runs:
        run.play()
    pd.testing.assert_frame_equal(runs[0].frame(), runs[1].frame(), check_exact=False, rtol=1e-7)


@pytest.mark.parametrize("name", [one for one in RECIPES if one not in SKYLINES])
def test_every_recipe_is_the_same_on_the_device(name: str, device: str) -> None:
    """Other settings in every replica, noise and drift; and those of which no graph can be made say so."""
    settings = {**(several(name) if name.startswith(("kl", "sq")) else {}), **small(name)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_same(name, device, settings=settings, label_noise=0.1, drift=(30,))
    said = [text for text in (str(one.message) for one in caught) if "no CUDA graph" in text]
    if name in WITHOUT:
        assert len(said) == 1
        assert WITHOUT[name] in said[0]
        assert pretend.PretendedGraph.replays == 0
    else:
        assert not said
        assert pretend.PretendedGraph.replays == 2  # once to see whether it is right


FOLDS = {"c_p": 2.4, "lr": 0.35, "normalize": [0.0, 0.5, 0.3], "gamma_power": [0.5, 0.3, 0.0], "width": 16}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kl-perturbed", FOLDS),  # in most rounds
        ("sq-perturbed", {"c_p": 2.4, "lr": 0.35, "lr_power": [0.0, 0.3, 0.1], "width": 16}),
        ("kl", {"depth": 2, "width": 8}),
        ("kl", {"radius": [0.5, 2.0, float("inf")], "width": 8}),
        ("kl-perturbed", {"perturbations": 3, "c_p": 0.05, "width": 8}),
        ("neural-ucb", {"matrix": "full", "width": 4}),
    ],
)
def test_blocks_are_repeated_between_blocks_of_all_lengths(
    name: str, settings: dict[str, Any], device: str
) -> None:
    assert_same(name, device, settings=settings, rounds=108, kept=(25, 70, 71, 108))
    assert pretend.PretendedGraph.replays == 5


def test_rows_of_numbers_are_the_same_too(device: str) -> None:
    assert_same("sq-perturbed", device, settings={"width": 16, "normalize": 0.5}, data=toy())
    assert pretend.PretendedGraph.replays == 2


def test_what_was_learnt_comes_out_of_repeated_blocks(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters included; a trained agent goes on, with a recording of its own."""
    monkeypatch.setattr("neucb.engines.log.log_spaced", lambda rounds: np.array([rounds]))
    kept = {}
    for where in ("cpu", device):
        arguments: dict[str, Any] = {"engine": "torch", "device": where, "dtype": "float64"}
        _, trained = neucb.run(
            "kl-perturbed", one_hot(), 60, "3,8", settings={"width": 8}, return_agent=True, **arguments
        )
        _, trained = neucb.run(trained, one_hot(), 70, return_agent=True, device=where, dtype="float64")
        kept[where] = take_state(trained.agent)
    assert pretend.PretendedGraph.replays >= 4
    (ours, tensors), (theirs, others) = kept.values()
    assert json.dumps(ours) == json.dumps(theirs).replace(device, "cpu")
    assert tensors.keys() == others.keys()
    for path, value in tensors.items():
        torch.testing.assert_close(others[path], value, rtol=1e-7, atol=1e-12, msg=path)


def test_what_a_graph_reads_is_kept(device: str) -> None:
    """Hyper-parameters, which are in a cache for all runs, may leave it."""

    def forget(rounds: int) -> None:
        if rounds == 36:
            _tensor.cache_clear()
            _mixture.cache_clear()
            gc.collect()

    job("kl-perturbed", device, settings={"width": 8}).play(forget)
    assert pretend.PretendedGraph.replays == 2


@pytest.mark.parametrize("stop", [60, 61])
def test_a_run_broken_off_keeps_its_rounds(stop: int, device: str) -> None:
    def progress(rounds: int) -> None:
        if rounds == stop:
            raise KeyboardInterrupt

    runs = [job("kl", one, settings={"width": 8}) for one in ("cpu", device)]
    for run in runs:
        with pytest.raises(KeyboardInterrupt):
            run.play(progress)
        assert run.log.round == stop
    assert pretend.PretendedGraph.replays == 2


def test_a_network_that_diverges_in_a_repeated_block_is_found_in_the_same_round(device: str) -> None:
    settings = {"width": 8, "lr": 1.6, "lr_power": 0.0, "normalize": 0.0}  # in round 189
    found = []
    for where in ("cpu", device):
        with pytest.raises(DivergedError) as error:
            job("sq", where, settings=settings, rounds=250, kept=(250,)).play()
        found.append(str(error.value))
    assert found[0] == found[1]
    assert pretend.PretendedGraph.replays == 14


@pytest.mark.parametrize("name", ["kl", "falcon", "kl-perturbed-replay"])
def test_a_graph_and_its_memory_go_with_the_run(
    name: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's collector knows nothing of the GPU's memory, and would come late."""
    made: list[weakref.ref[pretend.PretendedGraph]] = []

    def make(device: str) -> pretend.PretendedGraph:
        graph = pretend.PretendedGraph()
        made.append(weakref.ref(graph))
        return graph

    monkeypatch.setattr("neucb.engines.lockstep.block_loop.make_graph", make)
    for _ in range(2):  # what is imported in the first run keeps its frames
        gc.collect()
        gc.disable()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                job(name, device, rounds=48, kept=(48,), settings=small(name)).play()
            gone = made[-1]() is None
        finally:
            gc.enable()
    assert gone


def test_parameters_are_known_by_their_place(device: str) -> None:
    """Torch's optimisers know what they know by parameter; to name one would be to look at its numbers."""

    def own() -> Reduction:
        sgd = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
        return Reduction(Module(perceptron(depth=1, width=8), KL(), sgd), EpsilonGreedy(0.1))

    frames = []
    for where in ("cpu", device):
        run = prepare(own(), one_hot(), 48, "3,8", engine="torch", device=where, dtype="float64")
        run.log.keep((48,))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run.play()
        frames.append(run.frame())
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=False, rtol=1e-7)
    assert pretend.PretendedGraph.replays == 0


@pytest.mark.parametrize(
    ("late", "reason"),
    [({"delay": 3}, "_waiting.2.2 is in a tuple"), ({"batch": 4}, "agent.pending is set on the host")],
)
def test_late_losses_are_launched(late: dict[str, int], reason: str, device: str) -> None:
    with pytest.warns(UserWarning, match=f"no CUDA graph: Delayed.{reason}"):
        assert_same("kl", device, settings={"width": 8}, rounds=48, kept=(48,), **late)


class Toy:
    """What a block does, by hand; a graph has to repeat it."""

    __module__ = "neucb.toys"  # of other people's agents no graph is made

    def __init__(self, device: str) -> None:
        self.total = torch.zeros(2, dtype=torch.float64, device=device)
        self.other = torch.ones(2, dtype=torch.float64, device=device)
        self.rounds = 0
        self.spec = Spec((0, 1), 3, 4, 1000, device, "float64")

    def step(self) -> None:
        """What is particular."""

    def __init_subclass__(cls) -> None:
        cls.__module__ = "neucb.toys"

    def play(self, rows: Rows, played: Played) -> None:
        self.step()
        self.rounds += len(rows.contexts)
        self.total = self.total + rows.losses.sum((0, 2)) * self.rounds
        for p, mean, action in zip(rows.losses, rows.losses, rows.dice, strict=True):
            played.add(p, None, (action * 3).long())
            played.mean[played.rounds].copy_(mean)
            played.rounds += 1

    def draw(self, rng: np.random.Generator) -> Rows:
        """Draw the rows of the next block."""
        drawn = (rng.random((4, 2, n)) for n in (4, 3, 1))
        return Rows(*(torch.as_tensor(one, device=self.spec.device) for one in drawn))

    def blocks(self, graph: pretend.PretendedGraph, count: int = 6) -> list[float]:
        """Play, and return what is known then."""
        repeating = Repeating(self, graph, self.play, self.spec)  # type: ignore[arg-type]  # part of an agent
        rng = np.random.default_rng(0)
        sums = []
        for _ in range(count):
            played = Played(4, self.spec)
            repeating.play(self.draw(rng), played)
            assert played.rounds == played.asked == 4
            assert not played.predicts
            sums += [float(played.p.sum()), float(played.action.sum()), float(self.total.sum()), self.rounds]
            sums += [float(self.other.sum())]
        return sums


class Swaps(Toy):
    def step(self) -> None:
        self.total, self.other = self.other + 1.0, self.total


class Deque(Toy):
    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.last = deque([self.total, self.other + 3.0], maxlen=2)

    def step(self) -> None:
        self.last.append(self.last[0] + self.total)
        self.other = self.last[0] * 2.0


class Never(pretend.PretendedGraph):
    """A graph that cannot be recorded."""

    def record(self, work: Callable[[], None]) -> None:
        raise RuntimeError("no such thing\nand more of it")


def launched(kind: type[Toy]) -> list[float]:
    """Play without a graph."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind("cpu").blocks(Never())


class Breaks(pretend.PretendedGraph):
    """A graph that, as CUDA's, says of a recording that failed that it failed."""

    def record(self, work: Callable[[], None]) -> None:
        try:
            super().record(work)
        except Exception:
            raise RuntimeError("recording was broken off") from None


class Fills(pretend.PretendedGraph):
    """A graph for which there is not enough memory."""

    def replay(self) -> None:
        super().replay()
        raise torch.cuda.OutOfMemoryError("out of memory")


def test_the_first_error_is_told(device: str) -> None:
    match = "no CUDA graph: Widens.other changes its shape; operators are launched one by one, which takes"
    try:
        raise KeyError("something of the user's")
    except KeyError:
        with pytest.warns(UserWarning, match=match):
            Widens(device).blocks(Breaks(), 2)


def test_without_memory_for_a_graph_blocks_are_launched(device: str) -> None:
    with pytest.warns(UserWarning, match="no CUDA graph: out of memory"):
        ours = Toy(device).blocks(Fills())
    assert ours == pytest.approx(launched(Toy))


class Longer(Toy):
    """Has more numbers from the fifth block on."""

    def draw(self, rng: np.random.Generator) -> Rows:
        if self.rounds == 16:
            self.other = torch.cat([self.other, self.other])
        return super().draw(rng)


class Faster(Toy):
    """Takes other steps from the fifth block on."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.size = 1.0

    def draw(self, rng: np.random.Generator) -> Rows:
        self.size = 1.0 if self.rounds < 16 else 2.0
        return super().draw(rng)

    def step(self) -> None:
        self.other = self.other + self.size


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Longer, "Longer.other changes its shape"), (Faster, "Faster.size is another in every block")],
)
def test_an_agent_that_becomes_another_is_launched_again(kind: type[Toy], reason: str, device: str) -> None:
    with pytest.warns(UserWarning, match=f"no CUDA graph: {reason}"):
        ours = kind(device).blocks(pretend.PretendedGraph())
    assert pretend.PretendedGraph.replays == 2
    assert ours == pytest.approx(launched(kind))


class Grows(Toy):
    """Keeps a history."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.past: list[Tensor] = []

    def step(self) -> None:
        self.past.append(self.total)
        self.other = self.past[0] + len(self.past)


class Counts(Toy):
    """Counts in an array of the host."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.count = np.zeros(2)

    def step(self) -> None:
        self.count += 1
        self.other = self.other * float(self.count[0])


class Draws(Toy):
    """Draws on the host."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.rng = np.random.default_rng(0)

    def step(self) -> None:
        self.other = self.other * float(self.rng.random())


class HostTensor(Toy):
    """Keeps a tensor on the host."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.here = torch.ones(1)

    def step(self) -> None:
        self.here += 1
        self.other = self.other * self.here.numpy()[0]


class Turns(Toy):
    """Does one thing and another in turn."""

    odd = False

    def step(self) -> None:
        self.odd = not self.odd
        self.other = self.other + (1.0 if self.odd else 2.0)


class Widens(Toy):
    def step(self) -> None:
        self.other = torch.cat([self.other, self.other[:1]])


class Doubles(Toy):
    """Looks at its number of rounds."""

    def step(self) -> None:
        if self.rounds > 8:
            self.other = self.other * 2.0


class Tuple(Toy):
    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.pair = (self.total + 1.0, self.other)

    def step(self) -> None:
        self.pair = (self.pair[0] + 1.0, self.pair[1])
        self.other = self.pair[0] * 2.0


class Alias(Toy):
    """Has an old name of a tensor that is made anew."""

    def draw(self, rng: np.random.Generator) -> Rows:
        if self.rounds in (0, 4):
            self.keep = self.other
        return super().draw(rng)

    def step(self) -> None:
        self.other = self.other + self.keep


class Shares(Toy):
    """Has two names of a tensor."""

    def step(self) -> None:
        self.one = self.two = self.other * 2.0
        self.other = self.one + self.two


class Reads(Toy):
    """Reads a tuple that never changes."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.pair = (self.total + 1.0, 2.0)

    def step(self) -> None:
        self.other = self.other + self.pair[0] * self.pair[1]


class Spoilt(Toy):
    """Has numbers that are none."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.none = self.other * torch.nan
        self.most = self.other * torch.inf

    def step(self) -> None:
        self.none, self.most = self.none + 1.0, self.most + 1.0


class Clock:
    __slots__ = ("n",)
    __module__ = "neucb.toys"

    def __init__(self) -> None:
        self.n = 0


class Hides(Toy):
    """Counts where nobody sees it."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.clock = Clock()

    def step(self) -> None:
        self.clock.n += 1
        self.other = self.other + self.clock.n // 4


class Foreign(Toy):
    """Has a part of somebody else."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.part = SomebodyElses()

    def step(self) -> None:
        self.other = self.other + self.part.n


class SomebodyElses:
    n = 1.0


class Doubling(Toy):
    """Counts otherwise in every block."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.k = 1

    def step(self) -> None:
        self.k = 2 * self.k
        self.other = self.other + self.k


class Masks(Toy):
    def step(self) -> None:
        self.other = self.other + self.total[self.total >= 0.0].sum()


class Views(Toy):
    """Has a part of a tensor beside it; both are made anew."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.whole = torch.ones(4, dtype=torch.float64, device=device)
        self.part = self.whole[:2]

    def step(self) -> None:
        self.whole = self.whole + 1.0
        self.part = self.whole[:2]
        self.other = self.other + self.part


@pytest.mark.parametrize("kind", [Toy, Swaps, Deque, Reads, Spoilt])
def test_a_block_is_repeated(kind: type[Toy], device: str) -> None:
    ours = kind(device).blocks(pretend.PretendedGraph())
    assert ours == pytest.approx(launched(kind), nan_ok=True)
    assert pretend.PretendedGraph.replays == 4


class Loose(Toy):
    """Has numbers from nowhere."""

    def step(self) -> None:
        self.other = self.other + float(np.random.default_rng().random())


def test_a_graph_that_gives_other_numbers_is_not_used(device: str) -> None:
    with pytest.warns(UserWarning, match="no CUDA graph: Loose.other comes out otherwise"):
        Loose(device).blocks(pretend.PretendedGraph())
    assert pretend.PretendedGraph.replays == 1


class Vanishes(Toy):
    """Loses a part in the block in which what was recorded is compared."""

    calls: ClassVar[list[int]] = []

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.extra: Any = self.other * 3.0
        self.calls.clear()

    def step(self) -> None:
        self.calls.append(1)
        self.extra = 4.0 if len(self.calls) == 4 else self.extra * 1.0  # one of the calls is recorded


def test_a_part_that_is_gone_is_told(device: str) -> None:
    with pytest.warns(UserWarning, match="no CUDA graph: Vanishes.extra comes out otherwise"):
        Vanishes(device).blocks(pretend.PretendedGraph())
    assert pretend.PretendedGraph.replays == 1


REFUSED = {
    Grows: "Grows.past.1 is not there in every block",
    Counts: "Counts.count changes on the host",
    Draws: "Draws.rng changes on the host",
    HostTensor: "HostTensor.here changes on the host",
    Turns: "Turns.odd is another in every block",
    Widens: "Widens.other changes its shape",
    Doubles: LOOKS,
    Masks: LOOKS,
    Hides: "Hides.clock, of Clock, may hold what cannot be seen",
    Foreign: "Foreign.part, of SomebodyElses, may hold what cannot be seen",
    Doubling: "Doubling.k comes out otherwise",
    Views: "Views.part changes, and shares its memory",
    Alias: "Alias.other changes, and shares its memory",
    Shares: "Shares.two changes, and shares its memory",
    Tuple: "Tuple.pair.0 is in a tuple",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_repeated_is_told_and_launched(kind: type[Toy], device: str) -> None:
    """And nothing that recording did to the agent is left."""
    with pytest.warns(UserWarning, match="no CUDA graph") as caught:
        ours = kind(device).blocks(pretend.PretendedGraph())
    assert REFUSED[kind] in str(caught[0].message)
    assert len(caught) == 1
    assert ours == pytest.approx(launched(kind), nan_ok=True)


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@cuda
@pytest.mark.parametrize("name", [one for one in RECIPES if one not in (*SKYLINES, *WITHOUT)])
def test_a_gpu_repeats_blocks_to_the_same_actions(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(name, "cuda", label_noise=0.1, rounds=600, kept=(100, 600))


@cuda
@pytest.mark.parametrize("name", WITHOUT)
def test_a_gpu_launches_what_it_cannot_repeat(name: str) -> None:
    with pytest.warns(UserWarning, match="no CUDA graph"):
        assert_same(name, "cuda", settings={"replay": 3} if "replay" in name else {})


@cuda
def test_a_gpu_plays_on_after_a_recording_that_failed() -> None:
    with pytest.warns(UserWarning, match="it looks at numbers"):
        assert_same("falcon", "cuda")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same("kl-perturbed", "cuda", rounds=600, kept=(100, 600))
