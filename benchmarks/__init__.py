"""What the agents cost: the yardstick, the peers, and what `neucb bench` measures."""
