"""Threads: locks, conditions, events, timers, a pool, subprocesses, thread-local state, and a
process pool behind queues (which have threads of their own).

A number goes from a producer through a pool of threads, a pool of processes and a thread that
waits for a child's answer; the lines are printed in order. What a line says
follows from its number alone:

    threads-steps.py                 goes on until SIGTERM
    threads-steps.py --expected LAST what it has to have printed then
"""
import concurrent.futures
import hashlib
import multiprocessing
import queue
import signal
import subprocess
import sys
import threading
import time

THREADS = 16
WAITERS = 40
local = threading.local()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def in_process(number):
    return digest(f"process {number}")


def in_thread(number, word):
    return digest(f"thread {number} {word}")


def in_child(word):
    return word.upper()


def line_of(number):
    return f"{number} {in_child(in_thread(number, in_process(number)))}"


class Child:
    """`tr`, behind two pipes, one question at a time."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "tr", "a-z", "A-Z"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.lock = threading.Lock()

    def ask(self, word):
        with self.lock:
            self.process.stdin.write(word + "\n")
            return self.process.stdout.readline().rstrip()

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


class Turn:
    """Threads that only wait, for their turn or for ever: one is woken by each number."""

    def __init__(self):
        self.change = threading.Condition()
        self.number = -1
        self.turns = [0] * WAITERS
        self.threads = [threading.Thread(target=self.wait, args=(i,), daemon=True) for i in range(WAITERS)]
        for thread in self.threads:
            thread.start()

    def wait(self, index):
        seen = -1
        while True:
            with self.change:
                self.change.wait_for(lambda: self.number > seen and self.number % WAITERS == index)
                seen = self.number
                self.turns[index] += 1
                self.change.notify_all()

    def take(self, number):
        with self.change:
            self.number = number
            self.change.notify_all()
            self.change.wait_for(lambda: sum(self.turns) == number + 1)


def work(child, processes, number):
    assert getattr(local, "last", -1) < number, "another thread's number"
    local.last = number
    word = processes.submit(in_process, number).result()
    time.sleep(0.002)
    answer = child.ask(in_thread(number, word))
    return number, answer


def main():
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    context = multiprocessing.get_context("fork")
    processes = concurrent.futures.ProcessPoolExecutor(3, mp_context=context)
    processes.submit(in_process, 0).result()
    child, turn, done = Child(), Turn(), queue.Queue(maxsize=THREADS)
    ticks = []

    def tick():
        ticks.append(1)
        if not end.is_set():
            threading.Timer(0.01, tick).start()

    tick()

    def produce():
        number = 0
        while not end.is_set():
            done.put(pool.submit(work, child, processes, number))
            number += 1
        done.put(None)

    pool = concurrent.futures.ThreadPoolExecutor(THREADS)
    producer = threading.Thread(target=produce)
    producer.start()
    count = 0
    while (future := done.get()) is not None:
        number, answer = future.result()
        turn.take(number)
        print(number, answer, flush=True)
        count += 1
    producer.join()
    pool.shutdown()
    processes.shutdown()
    print("end", count, "child", child.end(), "timer", len(ticks) > 0, "turns", sum(turn.turns) == count, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--expected"]:
        for number in range(int(sys.argv[2])):
            print(line_of(number))
        print("end", sys.argv[2], "child", 0, "timer", True, "turns", True)
    else:
        main()
