"""math-verify's worker processes: limits, replacement, and who gets which reply."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.answers import mathbounds
from pdr_dspy.answers.mathpool import MathPool, Reply
from pdr_dspy.data import Problem, make_grader
from pdr_dspy.errors import DataError

ENDLESS = (r"(x+y+z+w)^{150}(x-y)^2", r"(x+y+z+w)^{150}(y-x)^2")  # equal; sympy multiplies it out
RIGHT = Reply(True)


@pytest.fixture(scope="module")
def pool() -> Iterator[MathPool]:
    pool = MathPool(workers=1, limit=1.0)
    yield pool
    pool.close()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_time_limit_is_told_and_the_worker_replaced(pool: MathPool) -> None:
    assert await pool.verify("p+0", "p + q - q", whole=True) == RIGHT
    hung = pool.pids
    reply = await pool.verify(*ENDLESS, whole=True)
    assert reply == Reply(False, "time limit")
    assert all(map(gone, hung))
    assert await pool.verify(r"\frac12", "1/2", whole=True) == RIGHT
    assert pool.pids and pool.pids != hung
    alive = pool.pids
    assert await pool.verify(*ENDLESS, whole=True) == reply and pool.pids == alive  # not tried again


async def test_the_limit_counts_the_workers_own_seconds_not_those_on_the_wall(pool: MathPool) -> None:
    await pool.verify("p", "q+1")
    (worker,) = pool.pids
    os.kill(worker, signal.SIGSTOP)
    asked = asyncio.create_task(pool.verify(r"\sqrt{8}", r"2\sqrt2", whole=True))
    # seconds pass in which the worker gets no time at all
    await asyncio.sleep(1.5 * pool.limit)
    assert not asked.done()
    os.kill(worker, signal.SIGCONT)
    assert await asked == RIGHT and pool.pids == [worker]


async def test_a_worker_that_never_replies_is_told_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pdr_dspy.answers.mathprocess.PATIENCE", 0.01)
    pool = MathPool(workers=1, limit=1.0)
    try:
        assert await pool.verify(*ENDLESS, whole=True) == Reply(False, "no reply")
        monkeypatch.undo()
        assert await pool.verify(*ENDLESS, whole=True) == Reply(False, "time limit")
    finally:
        pool.close()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("9^{9^{9^9}}", "too large"), ("10^{10^{10}}", "too large"), ("(10^{6})!", "too large"),
        (r"\binom{10^{9}}{10^8}", "too large"), ("(x+1)^{1000000}", "too large"),
        (r"\frac{1}{2}" + "+x" * 2000, "too long"), ("1" * 1200, "too many digits"),
        ("x" * 1_000_000, "too long"), (r"\boxed{" * 4000, "too long"), (r"\boxed{" * 200, "too deep"),
        ("(" * 60 + "2" + ")" * 60, "too deep"),
        (",".join(map(str, range(300))), "too many parts"),
        (r"\cup".join(f"({i},{i + 1})" for i in range(120)), "too many parts"),
    ],
)  # fmt: skip
async def test_what_is_too_large_is_refused_with_its_reason(pool: MathPool, text: str, problem: str) -> None:
    await pool.verify("p", "p+0")
    alive = pool.pids
    for whole in (True, False):
        boxed = text if whole else rf"\boxed{{{text}}}"
        assert await pool.verify("12", boxed, whole=whole) == Reply(False, problem)
        assert await pool.verify(boxed, "12", whole=whole) == Reply(False, problem)
    assert pool.pids == alive


@given(st.text(alphabet=r"({[]})\,;01ab", max_size=300), st.text(alphabet=r"({[]})\,;01ab", max_size=300))
def test_bounds_only_grow_with_the_text(text: str, more: str) -> None:
    assert not mathbounds.refusal(text) or mathbounds.refusal(text + more)


@pytest.mark.parametrize(
    "text", ["\ud800", "a\0b", "\x1b[0m", "1\n2", "\u202e1", "{", "\\", "\U0001d7d9", '"]', "", " "]
)
async def test_odd_texts_are_wrong_and_harm_nothing(pool: MathPool, text: str) -> None:
    assert not (await pool.verify("12", text, whole=True)).equal
    assert not (await pool.verify(text, "12")).equal
    assert await pool.verify(r"\frac{2}{4}", "1/2", whole=True) == RIGHT


async def test_a_worker_that_dies_is_replaced_and_asked_again(pool: MathPool) -> None:
    await pool.verify("p", "q+1")
    os.kill(pool.pids[0], 9)
    assert await pool.verify("x+y", "y + x", whole=True) == RIGHT


@pytest.mark.parametrize(
    "script",
    [
        "print('{}', flush=True); input()",  # ends at the first question
        "print('{}', flush=True)\nwhile True: input(); print('[garbage', flush=True)",
        "print('{}', flush=True)\nwhile True: input(); print('{\"number\": 0, \"equal\": true}', flush=True)",
    ],
)
async def test_a_worker_that_answers_no_question_is_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(script)
    monkeypatch.setattr("pdr_dspy.answers.mathpool._WORKER", worker)
    pool = MathPool(1)
    try:
        assert await pool.verify("p", "q+1") == Reply(False, "crash")
        verdict = await make_grader("math", pool=pool).grade(Problem("p", {}, "p"), {"answer": "q+1"})
        assert (verdict.correct, verdict.failure, verdict.detail) == (False, "grader", "crash")
    finally:
        pool.close()


async def test_running_out_of_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("pdr_dspy/answers").absolute()
    script = folder.joinpath("mathworker.py").read_text().replace("MEMORY = 2**30", "MEMORY = 2**20")
    worker = tmp_path / "mathworker.py"
    worker.write_text(script)
    (tmp_path / "mathcheck").symlink_to(folder / "mathcheck")
    monkeypatch.setattr("pdr_dspy.answers.mathpool._WORKER", worker)
    pool = MathPool(1)
    try:
        assert await pool.verify("p", "q+1") == Reply(False, "memory limit")
        assert pool.pids == []
    finally:
        pool.close()


async def test_garbage_ends_a_worker() -> None:
    worker = Path("pdr_dspy/answers/mathworker.py").absolute()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(worker), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out, _ = await process.communicate(b"\xff\xfe{]\n")
    assert out.count(b"\n") == 1 and process.returncode == 1


@pytest.mark.parametrize(("executable", "words"), [("/bin/true", "did not start"), ("/nowhere", "did not start")])
async def test_math_verify_that_can_not_be_started_is_the_users_to_mend(
    monkeypatch: pytest.MonkeyPatch, executable: str, words: str
) -> None:
    monkeypatch.setattr("pdr_dspy.answers.mathprocess.sys.executable", executable)
    pool = MathPool(1)
    try:
        for _ in range(2):
            with pytest.raises(DataError, match=words):
                await pool.verify("p", "q")
    finally:
        pool.close()


async def test_a_missing_math_verify_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text("""print('{"missing": "No module named math_verify"}', flush=True)""")
    monkeypatch.setattr("pdr_dspy.answers.mathpool._WORKER", worker)
    pool = MathPool(1)
    try:
        with pytest.raises(DataError, match="No module named math_verify"):
            await pool.verify("p", "q")
    finally:
        pool.close()


async def test_who_is_cancelled_leaves_no_reply_to_others(pool: MathPool) -> None:
    await pool.verify("p", "q+1")
    (worker,) = pool.pids
    os.kill(worker, signal.SIGSTOP)
    busy = asyncio.create_task(pool.verify(r"\sqrt{18}", r"3\sqrt2", whole=True))
    waiting = asyncio.create_task(pool.verify(r"\sqrt{20}", r"2\sqrt5", whole=True))
    wrong = asyncio.create_task(pool.verify(r"\sqrt{20}", r"3\sqrt5", whole=True))
    while pool._asked.qsize() != 2:
        await asyncio.sleep(0)
    busy.cancel()
    waiting.cancel()
    await asyncio.gather(busy, waiting, return_exceptions=True)
    os.kill(worker, signal.SIGCONT)
    assert busy.cancelled() and waiting.cancelled()
    assert await wrong == Reply(False)
    assert await pool.verify(r"\sqrt{20}", r"2\sqrt5", whole=True) == RIGHT


async def test_workers_start_with_the_first_question_and_end_with_close() -> None:
    pool = MathPool(workers=2)
    assert pool.pids == []
    questions = [pool.verify(f"x+{n}", f"{n}+x", whole=True) for n in range(4)]
    assert await asyncio.gather(*questions) == [RIGHT] * 4
    pids = pool.pids
    assert 1 <= len(pids) <= 2
    pool.close()
    assert pool.pids == [] and all(map(gone, pids))
    assert await pool.verify("x+9", "9 + x", whole=True) == RIGHT  # starts again
    pool.close()


async def test_closing_tells_who_waits() -> None:
    pool = MathPool(workers=1, limit=60.0)
    await pool.verify("p", "q+1")
    asked = [asyncio.create_task(pool.verify(*ENDLESS, digits=n, whole=True)) for n in (5, 7)]
    while pool._asked.qsize() != 1:
        await asyncio.sleep(0)
    await asyncio.to_thread(pool.close)
    assert await asyncio.gather(*asked) == [Reply(False, "closed")] * 2


def test_one_pool_serves_many_loops_and_threads(pool: MathPool) -> None:
    replies: dict[int, list[Reply]] = {}

    def ask(number: int) -> None:
        async def both() -> list[Reply]:
            right = pool.verify(f"{number}x+1", f"1+{number}x", whole=True)
            wrong = pool.verify(f"{number}x+1", f"{number + 1}x+1", whole=True)
            return list(await asyncio.gather(right, wrong))

        replies[number] = asyncio.run(both())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == {number: [RIGHT, Reply(False)] for number in range(2, 8)}


async def test_the_loop_goes_on(pool: MathPool) -> None:
    task = asyncio.create_task(pool.verify(r"(x+y+z+w)^{140}(x-y)^2", r"(x+y+z+w)^{140}(y-x)^2", whole=True))
    turns = 0
    while not task.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_interpreter_ends_while_a_worker_is_busy() -> None:
    ended = python(
        f"""
        import asyncio, os, time
        from pdr_dspy.answers.mathpool import MathPool
        async def main():
            pool = MathPool(1, limit=600)
            await pool.verify("p", "q+1")
            print(*pool.pids, flush=True)
            task = asyncio.create_task(pool.verify({ENDLESS[0]!r}, {ENDLESS[1]!r}, whole=True))
            while pool._asked.qsize():
                await asyncio.sleep(0)
        asyncio.run(main())
        """
    )
    assert ended.returncode == 0 and not ended.stderr
    assert gone(int(ended.stdout))


def test_a_forked_child_has_workers_of_its_own() -> None:
    ended = python(
        """
        import asyncio, os
        from pdr_dspy.answers.mathpool import MathPool
        pool = MathPool(1)
        ask = lambda n: asyncio.run(pool.verify(f"x+{n}", f"{n}+x", whole=True)).equal
        assert ask(1)
        mine = pool.pids
        if not (child := os.fork()):
            os._exit(0 if pool.pids == [] and ask(2) and pool.pids != mine and not pool.close() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert pool.pids == mine and ask(3) and pool.pids == mine
        """
    )
    assert ended.returncode == 0, ended.stderr


BIG = """
import asyncio, sys
kept = bytearray(1_200_000_000)
kept[::4096] = b"x" * len(kept[::4096])
from pdr_dspy.answers.mathpool import MathPool

async def ask(pool):
    first = await pool.verify("x+1", "1+x", whole=True)
    pid = pool.pids
    second = await pool.verify("x+2", "2+x", whole=True)
    return first, second, pid == pool.pids

pool = MathPool(1)
print(*asyncio.run(ask(pool)))
pool.close()
"""


def test_what_the_starting_process_uses_is_not_the_workers() -> None:
    done = subprocess.run([sys.executable, "-c", BIG], capture_output=True, text=True, check=True)
    equal = "Reply(equal=True, problem='')"
    assert done.stdout.strip() == f"{equal} {equal} True"
