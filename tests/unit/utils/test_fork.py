"""Values that exist once per process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from monitio.utils.fork import ProcessLocal


def test_the_value_is_created_once_for_all_threads() -> None:
    ready, made = threading.Barrier(8), []

    def factory() -> object:
        made.append(1)
        return object()

    local, got = ProcessLocal(factory), []

    def get() -> None:
        ready.wait()
        got.append(local.get())

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(set(map(id, got)))) == (1, 1)


def test_a_reset_returns_the_former_value_and_makes_a_new_one() -> None:
    local = ProcessLocal(object)
    former = local.get()
    assert local.reset() is former
    assert local.reset() is None
    assert local.get() is not former


@pytest.mark.skipif(not hasattr(os, "fork"), reason="This system has no fork.")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_makes_its_own_also_when_the_parent_holds_the_lock() -> None:
    local = ProcessLocal(os.getpid)
    local.get()
    with local._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if local.get() == os.getpid() else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


THREAD_BESIDE_A_FORK = """
import os, threading
from monitio.utils.fork import no_fork

is_inside, is_asked, is_over = threading.Event(), threading.Event(), threading.Event()
# Registered last, so it is called before the lock is waited for.
os.register_at_fork(before=is_asked.set)

def work():
    with no_fork():
        is_inside.set()
        is_asked.wait()
        is_over.set()

threading.Thread(target=work).start()
is_inside.wait()
child = os.fork()
if child == 0:
    with no_fork():
        os._exit(0 if is_over.is_set() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_waits_for_a_thread_that_forbids_it() -> None:
    # In another process: Python warns when a process with threads forks.
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", THREAD_BESIDE_A_FORK],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert run.stdout.strip() == "0"
