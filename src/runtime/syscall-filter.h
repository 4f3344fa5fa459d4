/*
 * syscall-filter: config.json's system call filter.
 *
 * Compiled before the container's process gives up its rights, so that a
 * bad filter is told while there is somebody to tell; loaded at the very end.
 */
#pragma once

#include <jansson.h>
#include <linux/filter.h>
#include <stddef.h>

struct error;

struct seccomp_program {
	struct sock_filter *insns; /* NULL: no filter */
	unsigned short n;
	unsigned int flags; /* SECCOMP_FILTER_FLAG_... */
};

#define SECCOMP_PROGRAM_INIT                                                                       \
	{                                                                                          \
		.insns = NULL                                                                      \
	}

/* `json` NULL: an empty program. */
int seccomp_compile(const json_t *json, struct seccomp_program *ret, struct error *err);

/* Needs no_new_privs or CAP_SYS_ADMIN. */
int seccomp_install(const struct seccomp_program *program, struct error *err);

void seccomp_program_done(struct seccomp_program *program);

#define cleanup_seccomp __attribute__((cleanup(seccomp_program_done)))
