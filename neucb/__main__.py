"""`python -m neucb` is `neucb`."""

from neucb.cli import main

main()
