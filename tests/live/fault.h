/*
 * fault: which signal, if any, a touch of memory brings.
 */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

static sigjmp_buf fault_back;

/* The handler for SIGSEGV and SIGBUS. */
static void on_fault(int sig)
{
	siglongjmp(fault_back, sig);
}

/* 0: it can be read. */
static int touch(const volatile uint8_t *at)
{
	int sig = sigsetjmp(fault_back, 1);

	if (!sig)
		(void)*at;
	return sig;
}
