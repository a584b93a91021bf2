"""``python -m notebook_flows`` is the command line."""

from __future__ import annotations

from notebook_flows.cli import main

if __name__ == "__main__":
    main()
