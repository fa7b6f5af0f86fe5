"""What `neucb bench` measures: groups of contenders, the rows of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from neucb.benchmarks.contenders import Task, compiled, cores, plain, processes, torch_engine
from neucb.benchmarks.measure import Contender, Group
from neucb.environments.preprocessing import Encoded

Data = Mapping[str, Encoded]

AGENT = "kl"
MOST_WEIGHTS = 100e6  # bytes of weights of a lockstep batch: larger ones take too long to draw
REPLICAS = (1, 32, 128)


def speed(data: Data, *, quick: bool) -> Iterator[Group]:
    """Yield the main table: an agent on every data set, the plain loop against both engines."""
    for name, encoded in data.items():
        task = Task(AGENT, encoded)
        weights = 400 * encoded.contexts.shape[1] * encoded.table.arms
        batches = [R for R in REPLICAS if R * weights <= MOST_WEIGHTS and (R == 32 or not quick)]
        contenders: list[Contender] = [plain(task), *(torch_engine(task, R) for R in batches)]
        yield Group("speed", name, [*contenders, compiled(task)])


def machine(data: Data) -> Iterator[Group]:
    """Yield the whole machine at work, by the wall clock: seeds over processes against threads."""
    for name, encoded in list(data.items())[:1]:
        task = Task(AGENT, encoded)
        contenders = [processes(task, cores()), compiled(task, replicas=4 * cores(), threads=cores())]
        yield Group("machine", name, contenders, by="wall")
