"""The time limit: it ends what takes too long, leaves the rest alone, and works in every thread."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from unrolled.guarantees.time_limit import OutOfTime, time_limit


def run_for_ever():
    while True:
        pass


def count(numbers):
    return sum(1 for _ in range(numbers))


def ended():
    """Whether the limit ends what would never end."""
    try:
        with time_limit(0.05):
            run_for_ever()
    except OutOfTime:
        return True
    return False


def test_it_ends_what_takes_too_long():
    assert ended()


def test_no_exception_handler_on_the_way_swallows_it():
    def stubborn():
        while True:
            try:
                run_for_ever()
            except Exception:
                continue

    with pytest.raises(OutOfTime), time_limit(0.05):
        stubborn()


def test_what_ends_in_time_leaves_nothing_behind():
    before = threading.active_count()
    for _ in range(20):
        with time_limit(60):
            assert count(1000) == 1000
    assert threading.active_count() == before


def test_a_limit_that_passes_after_the_block_interrupts_nothing():
    for _ in range(50):
        try:
            with time_limit(0.001):
                count(20_000)  # about as long as the limit
        except OutOfTime:
            pass
        assert count(50_000) == 50_000


def test_an_error_inside_goes_out_and_the_clock_is_stopped():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), time_limit(60):
        1 / 0  # noqa: B018
    assert threading.active_count() == before


def test_it_works_in_threads_side_by_side():
    with ThreadPoolExecutor(max_workers=3) as pool:
        assert all(pool.map(lambda _: ended(), range(3)))


def test_it_ends_its_own_thread_only():
    with ThreadPoolExecutor(max_workers=1) as pool:
        other = pool.submit(count, 300_000)
        assert ended()
        assert other.result() == 300_000


def test_after_one_limit_another_counts_anew():
    assert ended()
    with time_limit(60):
        assert count(1000) == 1000
    assert ended()
