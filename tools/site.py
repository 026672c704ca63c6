"""Builds the site and serves it on this machine: what `make site` and `make book` call.

Jupyter Book executes the chapters and writes the pages; this file decides when an old result may be
kept, shows what goes on, and turns a failure into one message.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the execution of a chapter depends on besides its own cells, and what the pages do.
LIBRARY = ("lib", "constraints.txt")
SOURCES = (*LIBRARY, "book", "_config.yml", "_toc.yml")
MADE = {"__pycache__", ".ipynb_checkpoints"}


class BuildError(Exception):
    """The site could not be built; the message says where and why."""


def fingerprint(root: Path, names: tuple[str, ...]) -> str:
    """A hash of the names and contents of all files below these names."""
    digest = hashlib.sha256()
    for path in sorted(path for name in names for path in files(root / name)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def files(path: Path) -> Iterator[Path]:
    """The files at or below a path, without what Python and Jupyter leave behind."""
    if path.is_file():
        yield path
    elif path.name not in MADE and path.suffix != ".egg-info":
        for child in path.iterdir() if path.is_dir() else ():
            yield from files(child)


def build(root: Path = ROOT, clean: bool = False) -> Path:
    """Execute the chapters and write the pages; return the folder that holds them.

    What was made before is kept where it still holds: nothing is done when no source has changed,
    and everything is done again when the library or the pins have.

    Raises BuildError when a chapter fails or a page draws a warning. Nothing made by a failed build
    is kept but the chapters that ran through.
    """
    made, html = root / "_build", root / "_build" / "html"
    stamp = made / "stamp"  # fingerprints of the library and of all sources at the last success
    library, sources = fingerprint(root, LIBRARY), fingerprint(root, SOURCES)
    old = stamp.read_text().split() if stamp.exists() else [library]
    if clean or old[0] != library:
        shutil.rmtree(made, ignore_errors=True)
    elif old[1:] == [sources] and html.is_dir():
        print("The site is up to date.", flush=True)
        return html
    made.mkdir(exist_ok=True)
    stamp.write_text(f"{library}\n")  # the chapters executed from here on belong to this library
    log = made / "build.log"
    if run_jupyter_book(root, log) != 0:
        # Sphinx does not repeat the warnings of pages that it has read already.
        shutil.rmtree(html, ignore_errors=True)
        shutil.rmtree(made / ".doctrees", ignore_errors=True)
        raise BuildError(explain(log.read_text(encoding="utf-8"), root))
    stamp.write_text(f"{library}\n{sources}")
    return html


def run_jupyter_book(root: Path, log: Path) -> int:
    """Run Jupyter Book, keep its output in `log`, print the progress, return the exit status."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(root)]
    command += ["--path-output", str(root), "-W", "-n", "--keep-going"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    began = time.monotonic()
    with (
        subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            preexec_fn=one_core,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        ) as process,
        log.open("w", encoding="utf-8") as record,
    ):
        for line in process.stdout:
            line = re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()
            print(line, file=record, flush=True)
            if message := progress(line.replace(f"{root}/", "")):
                print(f"{time.monotonic() - began:6.1f} s  {message}", flush=True)
    return process.returncode


def one_core() -> None:
    """Stay on one processor core, where the system can: a chapter must suit a small machine."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def progress(line: str) -> str:
    """What a line of Jupyter Book's output tells a person who waits, or nothing."""
    if found := re.search(r"(\S+): Executing notebook", line):
        return f"executing {Path(found[1]).with_suffix('')}"
    if found := re.search(r"(\S+): Executed notebook in ([\d.]+) seconds", line):
        return f"executed {Path(found[1]).with_suffix('')} in {float(found[2]):.1f} s"
    if found := re.match(r"(reading sources|writing output)\.\.\. \[\s*(\d+)%\] (\S+)", line):
        return f"{found[1].split()[0]} {found[3]} ({found[2]} %)"
    return ""


def explain(log: str, root: Path) -> str:
    """The cause of a failed build in a few lines, from all that Jupyter Book said."""
    log = log.replace(f"{root}/", "")
    failed = re.search(
        r"^(?P<notebook>[^\n]+?\.ipynb)[^\n]*Executing notebook failed.*?"
        r"An error occurred while executing the following cell:\n-+\n(?P<cell>.*?)\n-+\n"
        r"(?P<rest>.*)",
        log,
        flags=re.DOTALL | re.MULTILINE,
    )
    if failed:
        named = r"^[\w.]+(?:Error|Exception|Warning|Interrupt)(?:: .*)?$"
        error = re.findall(named, failed["rest"], flags=re.MULTILINE)
        cell = "\n".join(f"    {line}" for line in failed["cell"].splitlines())
        why = error[0] if error else "see _build/build.log"
        return f"{failed['notebook']} failed: {why}\nin the cell\n{cell}"
    warnings = re.findall(r"^.*(?:WARNING|ERROR|CRITICAL): .*$", log, flags=re.MULTILINE)
    if warnings:
        return "A warning is an error here:\n" + "\n".join(dict.fromkeys(warnings))
    causes = re.findall(r"^[\w.]+(?:Error|Exception|NotFound)\b.*: .+$", log, flags=re.MULTILINE)
    return "Jupyter Book stopped:\n" + "\n".join(causes[:1] or log.splitlines()[-15:])


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for every request, and never from a browser's memory."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def end_headers(self) -> None:
        """Have the browser ask again after each build."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


class Server(http.server.ThreadingHTTPServer):
    """A server that does not speak of browsers which stop listening."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what went wrong, unless it is that the reader has turned the page."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def listen(folder: Path, port: int) -> Server:
    """A server of the folder on 127.0.0.1, listening but not yet serving; port 0 takes a free one.

    Raises BuildError when the port is taken.
    """
    try:
        return Server(("127.0.0.1", port), functools.partial(Handler, directory=folder))
    except OSError as error:
        raise BuildError(
            f"Port {port} is in use by another program. Choose another: make book PORT={port + 1}"
        ) from error


def main(arguments: list[str] | None = None) -> None:
    """Build the site and, if a port is given, serve it there until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clean", action="store_true", help="build everything anew")
    parser.add_argument("--serve", type=int, metavar="PORT", help="serve the site on 127.0.0.1")
    options = parser.parse_args(arguments)
    try:
        if options.serve is None:
            print(f"The site is in {build(clean=options.clean)}")
            return
        # The port first: a reader should not wait for a build to learn that it is taken.
        with listen(ROOT / "_build" / "html", options.serve) as server:
            build(clean=options.clean)
            address = f"http://127.0.0.1:{server.server_port}/"
            print(f"\nThe book is at {address} — stop with Ctrl-C.", flush=True)
            server.serve_forever()
    except BuildError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
