"""Inputs of the linear kernel: theta, covariances and feature maps from a recipe and its settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neucb.agents.initialisation import (
    draw_fourier,
    hash_columns,
    is_full,
    keeps_full,
    quadratic_columns,
)
from neucb.agents.recipes.kinds import ENSEMBLE
from neucb.agents.recipes.oracles import check_features
from neucb.agents.recipes.recipe import Recipe
from neucb.core.spec import Spec
from neucb.engines.compiled.inputs import (
    Play,
    ReplicaInputs,
    Settings,
    loss_code,
    make_clock,
    make_counts,
    make_rows,
    make_rule,
)
from neucb.engines.compiled.kernels.linear import linear
from neucb.kernels import types

FEATURES = {"linear": types.LINEAR, "quadratic": types.QUADRATIC, "fourier": types.FOURIER}


def play_models(recipe: Recipe, own: Settings, spec: Spec, inputs: ReplicaInputs) -> Play:
    """Return a function that plays the rounds of an agent with linear models."""
    inputs = with_hashed(inputs, own)
    columns = count_columns(own, spec)
    features = make_features(own, spec, inputs.seed)
    models = make_models(recipe, own, spec, inputs.seed)
    rule, memory = make_rule(recipe, own, spec), np.zeros(1)
    index, value, direction = make_lists(columns, inputs.world.contexts.shape[1])

    def play(start: int, stop: int) -> int:
        played: int = linear(
            inputs.world,
            inputs.adaptive,
            rule,
            models,
            features,
            memory,
            inputs.record,
            inputs.predictions((rule,), start, stop),
            index,
            value,
            direction,
            start,
            stop,
        )
        return played

    return play


def count_columns(own: Settings, spec: Spec) -> int:
    """Return the number of features without the intercept.

    Raises:
        InputError: too many quadratic features.
    """
    check_features(own)
    if own["hash_bits"]:
        return int(2 ** own["hash_bits"])
    if own["feature_map"] == "quadratic":
        return quadratic_columns(spec.features)
    return int(own["n_components"]) if own["feature_map"] == "fourier" else spec.features


def with_hashed(inputs: ReplicaInputs, own: Settings) -> ReplicaInputs:
    """Return inputs with hashed columns where the settings ask for them, see `Hashed`."""
    if not own["hash_bits"]:
        return inputs
    from scipy.sparse import csr_array

    contexts = csr_array(inputs.env.encoded.contexts)
    column = hash_columns(contexts.shape[1], own["hash_bits"])[contexts.indices]
    shape = contexts.shape[0], 2 ** own["hash_bits"]
    hashed = csr_array((contexts.data.astype(np.float64), column, contexts.indptr.copy()), shape=shape)
    hashed.sum_duplicates()
    empty, rows = make_rows(hashed.astype(np.float32))
    return replace(inputs, world=inputs.world._replace(contexts=empty, sparse=rows))


def make_lists(
    columns: int, inputs: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return buffers for the indices and values of a row's features, and for A^-1 x.

    The row's own entries, up to `inputs` of them, are listed in the same buffers first.
    """
    length = max(columns, inputs) + 2
    return np.empty(length, np.int64), np.empty(length), np.empty(columns + 1)


def make_features(own: Settings, spec: Spec, seed: int) -> types.Features:
    """Return the feature map of one replica."""
    w, b = np.empty((0, 0)), np.empty(0)
    if own["feature_map"] == "fourier":
        w, b = draw_fourier(seed, spec.features, int(own["n_components"]))
        w = w / own["bandwidth"]
    return types.Features(FEATURES[own["feature_map"]], w, b, np.empty(len(b)))


def make_models(recipe: Recipe, own: Settings, spec: Spec, seed: int) -> types.Models:
    """Return the models of one replica."""
    counts = make_counts(own, spec, seed) if recipe.kind == ENSEMBLE else np.empty((0, 1))
    columns = count_columns(own, spec)
    N, K, d = counts.shape[1], spec.arms, columns + 1
    penalty = float(own["regularization"])
    full = is_full(own["covariance"], columns)
    precision = np.eye(d) / penalty if full else np.full((1, d), penalty)
    covariance = np.tile(precision, (N, K, 1, 1))
    return types.Models(
        loss_code(recipe), make_clock(recipe, own), not full, np.zeros((N, K, d)), covariance, counts
    )


def check_models(settings: Settings, spec: Spec) -> None:
    """Check the features of linear models, as the torch agents do.

    Raises:
        InputError: too many quadratic features.

    Warns:
        UserWarning: covariance=auto is a diagonal.
    """
    keeps_full(settings["covariance"], count_columns(settings, spec))
