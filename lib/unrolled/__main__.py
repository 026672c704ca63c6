"""Command line: `python -m unrolled verify …` and `python -m unrolled experiments …`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 when a check failed."""
    # Each command imports what it needs: an experiment does without sympy, say.
    parser = argparse.ArgumentParser(prog="python -m unrolled")
    commands = parser.add_subparsers(dest="command", required=True)

    check = commands.add_parser("verify", help="check every claim of the book")
    check.add_argument("--only", metavar="CHAPTER")
    check.add_argument("--count", type=int, default=1000, help="random instances per sweep")
    check.set_defaults(run=_verify)

    recorded = commands.add_parser("experiments", help="run and list the recorded experiments")
    actions = recorded.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="run what is not recorded yet")
    run.add_argument("name")
    run.add_argument("--device", default="cpu")
    narrow = "run only these, as network=ALISTA selection=true snr=40; snr= means no noise"
    run.add_argument("--only", metavar="KEY=VALUE", nargs="*", default=[], help=narrow)
    run.set_defaults(run=_experiment)
    actions.add_parser("list", help="name the experiments").set_defaults(run=_list)
    actions.add_parser("status", help="say what is recorded").set_defaults(run=_status)
    for action in actions.choices.values():
        action.add_argument("--results", type=Path, help="folder of the recorded rows")

    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as error:
        parser.error(str(error))


def _verify(options: argparse.Namespace) -> int:
    from unrolled import verify

    return 1 if verify.run(options.only, count=options.count) else 0


def _experiment(options: argparse.Namespace) -> int:
    from unrolled.experiments import EXPERIMENTS, value_of

    if options.name not in EXPERIMENTS:
        raise ValueError(f"name is {options.name!r}; experiments are {', '.join(EXPERIMENTS)}")
    pairs = [pair.partition("=") for pair in options.only]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError(f"--only is {' '.join(options.only)}; KEY=VALUE pairs are needed")
    only = {key: value_of(text) for key, _, text in pairs}
    EXPERIMENTS[options.name].run(options.device, only=only, **_folder(options))
    return 0


def _list(options: argparse.Namespace) -> int:
    from unrolled.experiments import EXPERIMENTS

    for name, experiment in EXPERIMENTS.items():
        print(f"{name:<20} {experiment.title}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from unrolled.experiments import EXPERIMENTS, label

    for name, experiment in EXPERIMENTS.items():
        missing = experiment.missing(**_folder(options))
        total = len(experiment.configurations)
        print(f"{name:<20} {total - len(missing)} of {total} configurations recorded")
        for configuration in missing:
            print("  missing:", label(configuration))
    return 0


def _folder(options: argparse.Namespace) -> dict[str, Any]:
    return {} if options.results is None else {"results": options.results}


if __name__ == "__main__":
    sys.exit(main())
