"""Command line: `python -m unrolled verify …` and `python -m unrolled experiments …`."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
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
    run.add_argument("--device", default="cpu", help="of this process, or of each worker")
    where = run.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="measure in so many processes on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="measure on this Dask cluster")
    run.add_argument("--quick", action="store_true", help="run a small one of the same kind")
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
    experiment = EXPERIMENTS[options.name]
    if options.quick:
        if experiment.quick is None:
            raise ValueError(f"--quick is given, and {options.name} has no quick version")
        experiment = experiment.quick
    with ExitStack() as stack:
        client = None
        if options.workers is not None or options.scheduler is not None:
            from unrolled.experiments import cluster

            client = stack.enter_context(
                cluster.connect(options.scheduler)
                if options.workers is None
                else cluster.local(options.workers)
            )
        experiment.run(options.device, only=only, client=client, **_folder(options))
    return 0


def _list(options: argparse.Namespace) -> int:
    from unrolled.experiments import EXPERIMENTS

    for name, experiment in EXPERIMENTS.items():
        print(f"{name:<20} {experiment.title}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from unrolled.experiments import EXPERIMENTS, label

    for name, experiment in EXPERIMENTS.items():
        states = experiment.status(**_folder(options))
        recorded = sum(state == "recorded" for _, state in states)
        print(f"{name:<20} {recorded} of {len(experiment.configurations)} configurations recorded")
        for configuration, state in states:
            if state != "recorded":
                print(f"  {state}: {label(configuration)}")
    return 0


def _folder(options: argparse.Namespace) -> dict[str, Any]:
    return {} if options.results is None else {"results": options.results}


if __name__ == "__main__":
    sys.exit(main())
