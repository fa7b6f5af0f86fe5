"""Recipe: a named agent as pure data, which parts it is made of; `make_agent` of build.py makes the agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from neucb.agents.parameter import Parameter, Value, resolve
from neucb.agents.recipes import settings
from neucb.agents.rules.rule import Rule

Kind = Literal["reduction", "uniform", "ensemble", "exp4", "best-fixed", "supervised"]
Oracle = Literal["none", "neural", "linear"]
Wrapper = Literal["none", "epochs", "epochs-passes", "gradient-norm", "last-layer"]


@dataclass(frozen=True)
class Recipe:
    """A named agent.

    Attributes:
        name: for `--agent`.
        summary: one line.
        source: where it was published.
        kind: what the parts are put into: "reduction", an oracle and a rule, or an agent of its own.
        oracle: what predicts losses.
        loss: what the oracle regresses with.
        rule: how its predictions become a policy; None where the kind says it.
        perturbed: whether the neural oracle's prediction is perturbed.
        wrapper: what stands round the oracle.
        defaults: of this recipe, where they differ from the parameter's own.
    """

    name: str
    summary: str
    source: str
    kind: Kind = "reduction"
    oracle: Oracle = "none"
    loss: Literal["squared", "kl"] = "squared"
    rule: type[Rule] | None = None
    perturbed: bool = False
    wrapper: Wrapper = "none"
    defaults: tuple[tuple[str, Value], ...] = ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The hyper-parameters that `--set` takes, with this recipe's defaults."""
        rows: tuple[Parameter, ...] = (
            *settings.ORACLES[self.oracle],
            *(settings.PERTURBATION if self.perturbed else ()),
            *settings.WRAPPERS[self.wrapper],
            *(self.rule.parameters if self.rule is not None else ()),
            *settings.KINDS[self.kind],
        )
        own = dict(self.defaults)
        return tuple(replace(row, default=own.get(row.name, row.default)) for row in rows)

    @property
    def learns(self) -> bool:
        """Whether it learns from losses."""
        return self.kind not in ("uniform", "best-fixed")

    @property
    def uncertain(self) -> bool:
        """Whether the rule needs standard deviations."""
        return self.rule is not None and self.rule.needs_std

    @property
    def joint(self) -> bool:
        """Whether the outputs of a round's arms are drawn together."""
        return self.wrapper == "last-layer"

    @property
    def formula(self) -> str:
        """What it predicts and what it plays, in one line."""
        kind = self.kind
        parts = [settings.KIND_FORMULAS[kind] if self.rule is None else self.rule.formula]
        if self.wrapper != "none":
            parts.insert(0, settings.WRAPPER_FORMULAS[self.wrapper])
        elif self.uncertain:
            parts.insert(0, settings.COVARIANCE_FORMULA)
        if self.perturbed:
            parts.insert(0, settings.PERTURBED_FORMULA)
        if self.oracle == "neural":
            parts.insert(0, settings.DEPTH_FORMULA)
        if self.oracle != "none":
            parts.insert(0, settings.ORACLE_FORMULAS[self.oracle, self.loss])
        return "; ".join(parts)

    def settings(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Return all hyper-parameters: those given, checked, and defaults.

        Raises:
            InputError: an unknown name or a bad value.
        """
        return resolve(self.parameters, given, self.name)
