# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab SCENARIO``: start the hosts of a scenario and print the inventory that reaches them."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from .runtime import SCENARIOS, Lab
from .scenario import ScenarioError


def main() -> int:
    """Run until SIGINT or SIGTERM; the exit code."""
    known = ", ".join(sorted(path.stem for path in SCENARIOS.glob("*.yml")))
    parser = argparse.ArgumentParser(prog="lab", description="Simulated Windows hosts behind a real WinRM server.")
    parser.add_argument("scenario", type=Path, help=f"a scenario file, or one of {known}")
    parser.add_argument("--inventory", type=Path, help="write the Ansible inventory to this file instead of stdout")
    parser.add_argument("--ports", choices=("real", "free"), default="free", help="5985 and 5986, or free ones")
    parser.add_argument("--control", type=int, default=0, metavar="PORT", help="port of the control endpoint")
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        lab = Lab.from_scenario(arguments.scenario, ports=arguments.ports, control_port=arguments.control)
        lab.start()
    except ScenarioError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 2
    except OSError as exc:
        print(f"lab: cannot listen: {exc}. Use --ports free, or stop what listens there.", file=sys.stderr)
        return 1
    try:
        if arguments.inventory:
            arguments.inventory.write_text(lab.inventory, "utf-8")
        else:
            print(lab.inventory, flush=True)
        print(f"lab: {len(lab.server.endpoints)} hosts are up, control at {lab.server.control_url}", file=sys.stderr)
        stopped.wait()
    finally:
        lab.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
