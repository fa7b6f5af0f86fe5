"""Registry of row orders: to add an order, write its class in a module of its own and one row here.

A subclass of `FixedOrder` is known before the run and played by both engines. A subclass of `Order` may react
to the agent and is played by the torch engine; one of `CompiledOrder`, which keeps its state in arrays, by
both.
"""

from __future__ import annotations

import re

from neucb.core.errors import unknown_name
from neucb.core.random import stream
from neucb.environments.orders.order import Order, Rows
from neucb.environments.orders.shuffled import Shuffled
from neucb.environments.orders.sorted import Sorted
from neucb.environments.orders.stored import Stored
from neucb.environments.orders.weakest_class import WeakestClass

ORDERS: dict[str, type[Order]] = {
    "shuffled": Shuffled,
    "stored": Stored,
    "sorted": Sorted,
    "weakest-class": WeakestClass,
}


def find_order(name: str) -> type[Order]:
    """Return the class of an order by its name.

    Raises:
        InputError: an unknown name.
    """
    if name not in ORDERS:
        raise unknown_name("order", name, ORDERS)
    return ORDERS[name]


def order_summary(name: str) -> str:
    """Return the first clause of an order's docstring, for help texts."""
    words = (find_order(name).__doc__ or "").partition("\n")[0]
    clause = re.split(r"[,;.]", words)[0]
    return clause[:1].lower() + clause[1:]


def make_order(name: str, labels: Rows, arms: int, horizon: int, seed: int) -> Order:
    """Return the order of one replica.

    Args:
        name: a key of `ORDERS`.
        labels: labels of the table [N].
        arms: number of arms K.
        horizon: number of rounds T.
        seed: seed of the replica.

    Raises:
        InputError: an unknown name, or an order that cannot fill `horizon` rounds.
    """
    return find_order(name)(labels, arms, horizon, stream(seed, "order"))
