"""`python -m neucb` is `neucb`."""

from neucb_command import main

main()
