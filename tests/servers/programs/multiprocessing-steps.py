"""Processes that share memory, locks, semaphores, a condition, a barrier and pipes.

Each worker adds to every cell of a shared memory under one lock, hands a token
round a ring of pipes, and meets the others at a barrier; the parent prints
what the cells then say. What a line says follows from its number alone:

    multiprocessing-steps.py                 goes on until SIGTERM
    multiprocessing-steps.py --expected LAST what it has to have printed then
"""
import multiprocessing
import signal
import struct
import sys
from multiprocessing import shared_memory

WORKERS = 4
CELLS = 1000


def line_of(step):
    total = (step + 1) * CELLS * sum(range(1, WORKERS + 1))
    return f"{step} sum {total} token {(step + 1) * WORKERS}"


def add(memory, lock, amount):
    for cell in range(CELLS):
        with lock:
            value = struct.unpack_from("<q", memory.buf, cell * 8)[0]
            struct.pack_into("<q", memory.buf, cell * 8, value + amount)


def work(index, name, lock, gate, barrier, state, receive, send):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    memory = shared_memory.SharedMemory(name)
    while True:
        barrier.wait()
        if state["end"].value:
            break
        with gate:  # two at a time
            add(memory, lock, index + 1)
        send.send(receive.recv() + 1)
        with state["change"]:
            state["done"].value += 1
            state["change"].notify_all()
        barrier.wait()
    memory.close()


def main():
    context = multiprocessing.get_context("spawn")
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    memory = shared_memory.SharedMemory(create=True, size=CELLS * 8)
    lock, gate = context.Lock(), context.BoundedSemaphore(2)
    barrier = context.Barrier(WORKERS + 1)
    state = {"end": context.Value("b", 0), "done": context.Value("q", 0), "change": context.Condition()}
    pipes = [context.Pipe(duplex=False) for _ in range(WORKERS + 1)]
    workers = [
        context.Process(target=work, args=(i, memory.name, lock, gate, barrier, state, pipes[i][0], pipes[i + 1][1]))
        for i in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    token = step = 0
    while not stop:
        barrier.wait()
        pipes[0][1].send(token)
        token = pipes[WORKERS][0].recv()
        with state["change"]:
            state["change"].wait_for(lambda: state["done"].value == (step + 1) * WORKERS)
        barrier.wait()
        total = sum(struct.unpack_from(f"<{CELLS}q", memory.buf))
        print(f"{step} sum {total} token {token}", flush=True)
        step += 1
    state["end"].value = 1
    barrier.wait()
    for worker in workers:
        worker.join()
    memory.close()
    memory.unlink()
    print("end", step, "exits", [worker.exitcode for worker in workers], flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--expected"]:
        for number in range(int(sys.argv[2])):
            print(line_of(number))
        print("end", sys.argv[2], "exits", [0] * WORKERS)
    else:
        main()
