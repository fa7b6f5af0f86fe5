"""The command `neucb`: outside the package, so that Ctrl-C while it is imported is one line too."""

from __future__ import annotations

import sys


def main() -> None:
    """Import the command line and run it; exit with 130 where that is interrupted."""
    try:
        from neucb.core.collection import leave_out, suspended

        with suspended():
            from neucb.cli import main as run
        try:
            run()
        finally:
            leave_out()
    except KeyboardInterrupt:
        print("neucb: error: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
