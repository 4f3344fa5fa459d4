"""One thread, one event loop, all that asyncio has without threads.

A number goes by timer and queue to one of the clients, over a unix socket to
the server, from there by pipe to a child process and all the way back; the
lines are printed in order. What a line says follows from its number alone:

    asyncio-steps.py             goes on until SIGTERM
    asyncio-steps.py --expected LAST   what it has to have printed then
"""
import asyncio
import hashlib
import os
import signal
import sys

CLIENTS = 12
SOCKET = "/tmp/steps.sock"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def server_says(number):
    return digest(f"server {number}")


def child_says(word):
    return digest(f"child {word}")


def line_of(number):
    return f"{number} {child_says(server_says(number))}"


def child(source, sink):
    with os.fdopen(source) as lines, os.fdopen(sink, "w") as answers:
        for line in lines:
            answers.write(child_says(line.rstrip()) + "\n")
            answers.flush()
    os._exit(0)


def fork_child():
    down, up = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(down[1])
        os.close(up[0])
        child(down[0], up[1])
    os.close(down[0])
    os.close(up[1])
    return up[0], down[1]


class Child:
    """Behind two pipes, and one question at a time."""

    async def open(self, source, sink):
        loop = asyncio.get_running_loop()
        self.lock = asyncio.Lock()
        self.reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self.reader), os.fdopen(source, "rb"))
        self.sink, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(sink, "wb"))

    async def ask(self, word):
        async with self.lock:
            self.sink.write(word.encode() + b"\n")
            return (await self.reader.readline()).decode().rstrip()


async def serve(child, reader, writer):
    while line := await reader.readline():
        await asyncio.sleep(0.003)
        answer = await child.ask(server_says(int(line)))
        writer.write(answer.encode() + b"\n")
        await writer.drain()
    writer.close()


async def client(todo, done):
    reader, writer = await asyncio.open_unix_connection(SOCKET)
    while (number := await todo.get()) is not None:
        writer.write(b"%d\n" % number)
        answer = (await reader.readline()).decode().rstrip()
        async with done["change"]:
            done[number] = answer
            done["change"].notify_all()
    writer.close()
    await writer.wait_closed()


async def number_by_timer(todo, end):
    number = 0
    while not end.is_set():
        await todo.put(number)
        number += 1
        try:
            await asyncio.wait_for(end.wait(), 0.005)
        except asyncio.TimeoutError:
            pass
    for _ in range(CLIENTS):
        await todo.put(None)
    return number


async def print_in_order(done):
    number = 0
    while True:
        async with done["change"]:
            await done["change"].wait_for(lambda: number in done)
            print(number, done.pop(number), flush=True)
        number += 1


async def main(ends):
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    child = Child()
    await child.open(*ends)
    server = await asyncio.start_unix_server(lambda r, w: serve(child, r, w), SOCKET)
    todo, done = asyncio.Queue(maxsize=CLIENTS), {"change": asyncio.Condition()}
    printer = asyncio.create_task(print_in_order(done))
    clients = [asyncio.create_task(client(todo, done)) for _ in range(CLIENTS)]
    count = await number_by_timer(todo, end)
    await asyncio.gather(*clients)
    while len(done) > 1:
        await asyncio.sleep(0.01)
    printer.cancel()
    server.close()
    child.sink.close()
    while (ended := os.waitpid(-1, os.WNOHANG)) == (0, 0):
        await asyncio.sleep(0.01)
    print("end", count, "child", os.waitstatus_to_exitcode(ended[1]), flush=True)


if sys.argv[1:2] == ["--expected"]:
    for number in range(int(sys.argv[2])):
        print(line_of(number))
    print("end", sys.argv[2], "child", 0)
else:
    asyncio.run(main(fork_child()))
