"""User-written agent file and data file."""

from __future__ import annotations

AGENT = """
import torch
from helper_of_mine import EVEN

class Even:
    def reset(self, spec):
        self.shape = (spec.replicas, spec.arms)
    def distribution(self, context):
        return torch.full(self.shape, EVEN / self.shape[1])
    def update(self, context, action, loss):
        pass

class Epsilon(Even):
    def __init__(self, epsilon, c=1.0):
        self.epsilon = epsilon

class Mute:
    def reset(self, spec):
        pass
    def update(self, context, action, loss):
        pass

class Tired(Even):
    count = 0
    def update(self, context, action, loss):
        self.count += 1
        if self.count == 30:
            raise ValueError("too\\nmuch")

class Curt(Even):
    def update(self):
        pass

def make():
    return Even()

def fails():
    return {}["no such key"]

ready = Even()
"""


DATA = """
import pandas as pd
from neucb import ClassificationVectorEnv

def table():
    return pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0] * 30, "y": ["a", "a", "b", "b"] * 30})

class Iris(ClassificationVectorEnv):
    def __init__(self, num_envs):
        super().__init__("iris", num_envs)

def text():
    return "iris"

def number():
    return 3
"""
