"""Exploration rules and their schedules."""
