"""Sweeps on a cluster leave what an undisturbed sweep in one process leaves, whoever is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from unrolled.__main__ import main
from unrolled.experiments import EXPERIMENTS, Experiment, cluster

ROOT = Path(__file__).resolve().parents[2]

# What workers run is sent to them by value, since they do not have this file.


def doubling(count=8, **options):
    def measure(configuration, place):
        return [{"twice": 2 * configuration["k"], "threads": torch.get_num_threads()}]

    numbers = tuple({"k": k} for k in range(count))
    return Experiment("doubling", "", numbers, lambda _: {"factor": 2}, measure, **options)


def quiet(_):
    pass


def by_number(experiment, results):
    return sorted(experiment.rows(results), key=lambda row: row["k"])


@pytest.fixture(scope="module")
def client():
    with cluster.local(2) as client:
        yield client


@pytest.mark.xdist_group("cluster")
def test_two_workers_record_what_one_process_does(client, tmp_path):
    said = []
    doubling().run(results=tmp_path, client=client, report=said.append)
    doubling().run(results=tmp_path / "alone", report=quiet)
    rows, alone = (by_number(doubling(), tmp_path / part) for part in ("", "alone"))
    assert [{**row, "threads": None} for row in rows] == [{**r, "threads": None} for r in alone]
    # Each of two workers has half of the cores.
    assert {row["threads"] for row in rows} == {max(1, cluster.cores() // 2)}
    assert doubling().missing(tmp_path) == []
    assert len(doubling().provenance(tmp_path)) == 8
    assert any("8 of 8, 0 min 00 s left" in line for line in said)
    assert not [file for file in tmp_path.glob(".doubling/*") if file.suffix != ".lock"]
    # What is recorded is not run again.
    refuse = replace(doubling(), measure=lambda *_: 1 / 0)
    refuse.run(results=tmp_path, client=client, report=quiet)


@pytest.mark.xdist_group("cluster")
def test_what_is_needed_comes_first(client, tmp_path):
    """Each number needs the one before it, and comes before it in the list."""

    def measure(configuration, place):
        (before,) = place.recorded or [[{"sum": 0}]]
        return [{"sum": before[0]["sum"] + configuration["k"]}]

    def needs(configuration):
        return [{"k": configuration["k"] - 1}] if configuration["k"] else []

    numbers = tuple({"k": k} for k in reversed(range(6)))
    sums = Experiment("sums", "", numbers, lambda _: {}, measure, needs)
    sums.run(results=tmp_path, client=client, report=quiet)
    assert [row["sum"] for row in by_number(sums, tmp_path)] == [0, 1, 3, 6, 10, 15]
    sums.run(results=tmp_path / "here", report=quiet)
    assert by_number(sums, tmp_path / "here") == by_number(sums, tmp_path)
    with pytest.raises(ValueError, match=r"^k=2 is not recorded, which k=3 needs; record it first"):
        sums.run(results=tmp_path / "none", only={"k": 3}, client=client, report=quiet)


@pytest.mark.xdist_group("cluster")
def test_a_worker_that_dies_has_its_configuration_run_again(client, tmp_path):
    once = str(tmp_path / "killed")

    def measure(configuration, place):
        if configuration["k"] == 3 and not os.path.exists(once):
            Path(once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [{"twice": 2 * configuration["k"]}]

    dying = replace(doubling(), measure=measure)
    dying.run(results=tmp_path, client=client, report=quiet)
    assert Path(once).exists()
    assert by_number(dying, tmp_path) == undisturbed_rows()
    assert len(dying.provenance(tmp_path)) == 8


def undisturbed_rows():
    return [{"k": k, "twice": 2 * k} for k in range(8)]


@pytest.mark.xdist_group("cluster")
def test_a_failure_ends_the_run_and_keeps_what_is_finished(client, tmp_path):
    def measure(configuration, place):
        if configuration["k"] == 3:
            raise ZeroDivisionError("three")
        return [{"twice": 2 * configuration["k"]}]

    failing = replace(doubling(40), measure=measure)
    with pytest.raises(ZeroDivisionError, match="three"):
        failing.run(results=tmp_path, client=client, report=quiet)
    recorded = by_number(failing, tmp_path)
    assert {"k": 0, "twice": 0} in recorded
    assert 3 not in [row["k"] for row in recorded]
    # Nothing stays claimed.
    states = {configuration["k"]: state for configuration, state in failing.status(tmp_path)}
    assert set(states.values()) == {"recorded", "missing"}
    doubling(40).run(results=tmp_path, client=client, report=quiet)
    assert [row["k"] for row in by_number(failing, tmp_path)] == list(range(40))


@pytest.mark.xdist_group("cluster")
def test_another_version_on_a_worker_is_refused(client, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "source", lambda: "another")
    with pytest.raises(ValueError, match=r"^client has another version of unrolled"):
        doubling().run(results=tmp_path, client=client, report=quiet)


@pytest.mark.xdist_group("cluster")
def test_the_cluster_of_an_address(client, tmp_path):
    address = client.scheduler.address
    with cluster.connect(address) as other:
        doubling().run(results=tmp_path, client=other, report=quiet)
    assert len(by_number(doubling(), tmp_path)) == 8
    with pytest.raises(ValueError, match=r"^address is 'tcp://127\.0\.0\.1:1', where no scheduler"):
        cluster.connect("tcp://127.0.0.1:1").__enter__()
    for wrong in (0, True, 2.5):
        with pytest.raises(ValueError, match=r"^workers is"):
            cluster.local(wrong).__enter__()


@pytest.mark.xdist_group("cluster")
def test_the_device_is_each_workers(client, tmp_path):
    """The client may have no GPU; a worker that lacks it says so."""
    with pytest.raises(ValueError, match=r"^device is 'nowhere'"):
        doubling().run("nowhere", results=tmp_path, client=client, report=quiet)


SWEEP = """
import sys, time
from pathlib import Path
from unrolled.experiments import Experiment, cluster

results, log = Path(sys.argv[1]), Path(sys.argv[2])

def measure(configuration, place):
    # A checkpoint that is there was left by the run that was killed.
    place.folder.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(f"{configuration['k']}\\n")
    time.sleep(0.5)
    return [{"twice": 2 * configuration["k"]}]

numbers = tuple({"k": k} for k in range(8))
sweep = Experiment("doubling", "", numbers, lambda _: {"factor": 2}, measure)

if __name__ == "__main__":
    with cluster.local(2) as client:
        sweep.run(results=results, client=client)
"""


@pytest.mark.xdist_group("cluster")
def test_a_client_that_dies_and_comes_back_goes_on(tmp_path):
    script, log, results = tmp_path / "sweep.py", tmp_path / "log", tmp_path / "results"
    script.write_text(SWEEP)
    results.mkdir()
    command = [sys.executable, str(script), str(results), str(log)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as killed:
        workers = []
        while not (results / "doubling.json").exists():
            assert killed.poll() is None
            workers = psutil.Process(killed.pid).children(recursive=True)
            time.sleep(0.05)
        killed.kill()
    psutil.wait_procs(workers, timeout=30)
    assert not any(worker.is_running() for worker in workers)  # none goes on by itself
    before = doubling().rows(results)
    states = [state for _, state in doubling().status(results)]
    assert 0 < len(before) < 8
    assert set(states) == {"recorded", "missing"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    assert by_number(doubling(), results) == undisturbed_rows()
    assert len(doubling().provenance(results)) == 8
    # What was recorded before was not run again.
    ran = log.read_text().split()
    assert all(ran.count(str(row["k"])) == 1 for row in before)


def test_the_command_line_takes_workers_and_a_quick_version(tmp_path, monkeypatch, capsys):
    quick = replace(doubling(2), name="doubling-quick")
    monkeypatch.setitem(EXPERIMENTS, "doubling", doubling(quick=quick))
    command = ["experiments", "run", "doubling", "--results", str(tmp_path)]
    assert main([*command, "--quick", "--workers", "1"]) == 0
    assert len(quick.rows(tmp_path)) == 2
    assert len(doubling().missing(tmp_path)) == 8  # its rows lie elsewhere
    assert re.search(r"2 of 2, .* left", capsys.readouterr().out)
    for more, sentence in (
        (["--workers", "0"], "workers is 0"),
        (["--scheduler", "tcp://127.0.0.1:1"], "where no scheduler answers"),
        (["--scheduler", "x", "--workers", "2"], "not allowed with"),
    ):
        with pytest.raises(SystemExit):
            main([*command, *more])
        assert sentence in capsys.readouterr().err
    monkeypatch.setitem(EXPERIMENTS, "doubling", doubling())
    with pytest.raises(SystemExit):
        main([*command, "--quick"])
    assert "doubling has no quick version" in capsys.readouterr().err


def test_states(tmp_path, capsys, monkeypatch):
    seen = []

    def measure(configuration, place):
        seen.append({c["k"]: state for c, state in sweep.status(tmp_path)})
        return [{"twice": 0}]

    sweep = replace(doubling(3), measure=measure)
    sweep.run(results=tmp_path, only={"k": 1}, report=quiet)
    assert seen == [{0: "missing", 1: "running", 2: "missing"}]
    changed = replace(doubling(1), recipe=lambda _: {"factor": 3})
    sweep.run(results=tmp_path, only={"k": 0}, report=quiet)
    assert changed.status(tmp_path) == [({"k": 0}, "stale"), ({"k": 1}, "stale")]
    monkeypatch.setattr("unrolled.experiments.EXPERIMENTS", {"doubling": changed})
    assert main(["experiments", "status", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "doubling             0 of 1 configurations recorded",
        "  stale: k=0",
        "  stale: k=1",
    ]


def test_a_quick_version_has_a_name_of_its_own():
    with pytest.raises(ValueError, match=r"^quick has the name 'doubling', too"):
        doubling(quick=doubling(2))
    with pytest.raises(ValueError, match=r"^quick is a int"):
        doubling(quick=3)
    with pytest.raises(ValueError, match=r"^needs is 3"):
        doubling(needs=3)


@pytest.mark.xdist_group("cluster")
def test_the_page_on_sweeps_is_a_script_that_runs(tmp_path):
    """Its code as `sweep.py`, with the end that it shows: on two workers, without this checkout."""
    page = (ROOT / "book" / "record_sweep.md").read_text(encoding="utf-8")
    (sweep,) = re.findall(r"```\{code-cell\} ipython3\n(import torch.*?)```", page, flags=re.DOTALL)
    (end,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "sweep.py").write_text(sweep.replace('"steps": 100', '"steps": 3') + end)
    command = [sys.executable, "sweep.py"]
    said = subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=180
    )
    assert "6 of 6, 0 min 00 s left" in said.stdout
    assert said.stderr == ""
    rows = (tmp_path / "results" / "how-deep.csv").read_text().splitlines()
    assert rows[0] == "depth,noise,layer,nmse"
    assert len(rows) == 1 + 2 * (3 + 5 + 9)
