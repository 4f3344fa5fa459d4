"""Fills a memcached and knows what has to be in it.

    memcached-client.py fill COUNT SIZE     stores COUNT items of SIZE bytes that look random
    memcached-client.py verify COUNT SIZE   reads all of them back and compares each byte
    memcached-client.py write CLIENTS       stores newer and newer values over as many connections, until
                                            SIGTERM; then reads the last of each and prints a line
    memcached-client.py stats NAME...       prints these counters
    memcached-client.py count NAME          increments a counter in the server
    memcached-client.py forget              removes all
"""
import hashlib
import selectors
import signal
import socket
import sys

SOCKET = "/tmp/memcached.sock"
BATCH = 16


def connect():
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(SOCKET)
    return connection


def item(number, size):
    return hashlib.shake_128(b"item %d" % number).digest(size)


def ask(connection, request, lines):
    connection.sendall(request)
    answers = connection.makefile("rb")
    return [answers.readline().rstrip() for _ in range(lines)]


def fill(count, size):
    connection = connect()
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        request = b"".join(b"set item%d 0 0 %d\r\n%s\r\n" % (n, size, item(n, size)) for n in numbers)
        answers = ask(connection, request, len(numbers))
        assert answers == [b"STORED"] * len(numbers), answers
    print(f"stored {count}")


def verify(count, size):
    connection = connect()
    answers = connection.makefile("rb")
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        connection.sendall(b"get " + b" ".join(b"item%d" % n for n in numbers) + b"\r\n")
        for number in numbers:
            head = answers.readline().split()
            assert head[:2] == [b"VALUE", b"item%d" % number], f"item {number}: {head}"
            value = answers.read(size + 2)
            assert value == item(number, size) + b"\r\n", f"item {number} differs"
        assert answers.readline() == b"END\r\n"
    print(f"equal {count}")


class Writer:
    """One connection that stores value after value and waits for each to be acknowledged."""

    def __init__(self, index):
        self.key = b"writer%d" % index
        self.connection = connect()
        self.answers = self.connection.makefile("rb")
        self.version = 0

    def value(self):
        return b"%d %s" % (self.version, item(self.version, 500).hex().encode())

    def send(self):
        self.version += 1
        value = self.value()
        self.connection.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (self.key, len(value), value))

    def take_answer(self):
        answer = self.answers.readline()
        assert answer == b"STORED\r\n", f"{self.key}: {answer}"

    def check_last(self):
        self.connection.sendall(b"get %s\r\n" % self.key)
        assert self.answers.readline().split()[:2] == [b"VALUE", self.key]
        got = self.answers.readline()
        assert got == self.value() + b"\r\n", f"{self.key}: {got[:20]} is not {self.value()[:20]}"
        assert self.answers.readline() == b"END\r\n"


def write(clients):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    selector = selectors.DefaultSelector()
    writers = [Writer(index) for index in range(clients)]
    for writer in writers:
        selector.register(writer.connection, selectors.EVENT_READ, writer)
        writer.send()
    said = 0
    while not ended:
        for key, _ in selector.select(1):
            key.data.take_answer()
            key.data.send()
        total = sum(writer.version for writer in writers)
        if total // 1000 > said:
            said = total // 1000
            print("written", said * 1000, flush=True)
    for writer in writers:
        writer.take_answer()
        writer.check_last()
    print("all of", clients, "writers found their last value", flush=True)


def stats(names):
    connection = connect()
    connection.sendall(b"stats\r\n")
    answers = connection.makefile("rb")
    values = {}
    while (line := answers.readline().split()) != [b"END"]:
        values[line[1].decode()] = line[2].decode()
    print(*(values[name] for name in names))


def count(name):
    connection = connect()
    ask(connection, b"add %s 0 0 1\r\n0\r\n" % name.encode(), 1)
    print(ask(connection, b"incr %s 1\r\n" % name.encode(), 1)[0].decode())


def forget():
    connection = connect()
    assert ask(connection, b"flush_all\r\n", 1) == [b"OK"]
    # What was flushed is counted until somebody asks for it.
    ask(connection, b"lru_crawler crawl all\r\n", 1)


what, *rest = sys.argv[1:]
if what == "fill":
    fill(*map(int, rest))
elif what == "verify":
    verify(*map(int, rest))
elif what == "write":
    write(int(rest[0]))
elif what == "stats":
    stats(rest)
elif what == "count":
    count(rest[0])
elif what == "forget":
    forget()
else:
    sys.exit(__doc__)
