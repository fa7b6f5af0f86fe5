"""Former names: the spellings of neucb up to 0.1.0, answered by those of today in errors.

One table for options, hyper-parameters, their values and columns: an error takes the first name of today that
is known where the former one was given.
"""

from __future__ import annotations

FORMER: dict[str, tuple[str, ...]] = {
    # hyper-parameters
    "replay": ("updates_per_round",),
    "batch": ("batch_size", "feedback_batch"),
    "schedule": ("training",),
    "passes": ("epochs",),
    "normalize": ("input_scaling",),
    "features": ("feature_map",),
    "columns": ("n_components",),
    "gradient": ("gradient_scaling",),
    "matrix": ("covariance",),
    "ceiling": ("clip_mean",),
    "refresh": ("refresh_every",),
    # options
    "preprocess": ("preprocessing",),
    "cache": ("openml_cache",),
    "orders": ("order",),
    "hindsight": ("best_in_class", "best_in_class_seeds"),
    # values
    "mean regret over all data sets": ("overall",),
    "per data set": ("per_dataset",),
    "code": ("none",),
    "paper": ("sqrt_width",),
    # columns
    "label": ("agent_label", "class_label"),
    "best_fixed_arm": ("best_fixed_arm_regret",),
    "context": ("row",),
    "distance": ("parameter_distance",),
    "spread": ("perturbation_rms",),
    "setting": ("config_id",),
    "purpose": ("split",),
}
