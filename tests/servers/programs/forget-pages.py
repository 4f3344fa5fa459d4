#!/usr/bin/env python3
"""Makes the kernel forget what it has cached of the files below a folder.

usage: forget-pages.py CHECKPOINT [FOLDER...]

Of the files of CHECKPOINT nothing may be left in memory afterwards; that is
asked of mincore(2). Files of the other folders may be in use by others.
"""
import ctypes
import mmap
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


def files_of(folder):
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def forget(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def pages_in_memory(path, size):
    fd = os.open(path, os.O_RDONLY)
    at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    os.close(fd)
    assert at != ctypes.c_void_p(-1).value, os.strerror(ctypes.get_errno())
    present = ctypes.create_string_buffer((size + mmap.PAGESIZE - 1) // mmap.PAGESIZE)
    assert libc.mincore(at, size, present) == 0, os.strerror(ctypes.get_errno())
    libc.munmap(at, size)
    return sum(byte & 1 for byte in present.raw)


kept = 0
for path in files_of(sys.argv[1]):
    size = forget(path)
    if size and pages_in_memory(path, size):
        kept += 1
        print(f"{path} is still cached", file=sys.stderr)
for folder in sys.argv[2:]:
    for path in files_of(folder):
        forget(path)
sys.exit(1 if kept else 0)
