"""Agents: online regression oracles, exploration rules and the named recipes made of them."""
