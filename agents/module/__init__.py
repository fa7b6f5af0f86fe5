"""Regression oracle over any torch module."""
