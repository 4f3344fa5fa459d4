/*
 * syscall-name: system calls by name, for people.
 */
#pragma once

#include <stdint.h>

/* "openat"; "syscall" if it has no name known when this was built. */
const char *syscall_name(uint32_t nr);
