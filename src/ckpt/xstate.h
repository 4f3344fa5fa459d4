/*
 * xstate: where this processor keeps the parts of the extended state (XSAVE, x86-64).
 *
 * Asked once: in a virtual machine each CPUID instruction takes longer than
 * all that is done for a thread.
 */
#pragma once

#include <stdint.h>

enum xstate_part {
	XSTATE_YMM = 2,
	XSTATE_BNDREGS = 3,
	XSTATE_BNDCSR = 4,
	XSTATE_OPMASK = 5,
	XSTATE_ZMM_HI256 = 6,
	XSTATE_HI16_ZMM = 7,
	XSTATE_PKRU = 9,
	XSTATE_AMX_CONFIG = 17,
	XSTATE_AMX_DATA = 18,
	XSTATE_N_PARTS,
};

struct xstate_layout {
	uint64_t enabled; /* by the kernel: bits as in XCR0; 0: there is no XSAVE */
	uint32_t size;	  /* of all that is enabled */
	struct {
		uint32_t offset;
		uint32_t size; /* 0: this processor has no such part */
	} parts[XSTATE_N_PARTS];
};

void xstate_look(struct xstate_layout *ret);
