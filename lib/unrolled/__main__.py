"""Command line: `python -m unrolled verify [--only CHAPTER] [--count N]`."""

from __future__ import annotations

import argparse
import sys

from unrolled import verify


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 when a check failed."""
    parser = argparse.ArgumentParser(prog="python -m unrolled")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("verify", help="check every claim of the book")
    check.add_argument("--only", metavar="CHAPTER", choices=verify.CHAPTERS)
    check.add_argument("--count", type=int, default=1000, help="random instances per sweep")
    options = parser.parse_args(arguments)
    return 1 if verify.run(options.only, count=options.count) else 0


if __name__ == "__main__":
    sys.exit(main())
