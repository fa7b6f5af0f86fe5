"""Torch engine: R replicas of any agent and any environment, in lockstep."""
