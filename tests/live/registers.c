/* General registers and flags are what they were while the program computes. */
#include "live.h"

int main(void)
{
	uint64_t sum = 0, got;

	for (uint64_t i = 0; i < 1000; i++)
		sum = sum * 6364136223846793005ULL + i;
	live_say("ready");
	/* The loop has all its state in registers: it must see its own results every time. */
	do {
		__asm__ volatile("xorq %%rax, %%rax\n\t"
				 "xorq %%rcx, %%rcx\n\t"
				 "movabsq $6364136223846793005, %%rdx\n\t"
				 "stc\n\t"
				 "1:\n\t"
				 "jnc 2f\n\t"
				 "imulq %%rdx, %%rax\n\t"
				 "addq %%rcx, %%rax\n\t"
				 "incq %%rcx\n\t"
				 "movq %%rcx, %%r8\n\t"
				 "leaq 7(%%rcx), %%r9\n\t"
				 "leaq 9(%%rcx), %%r15\n\t"
				 "subq %%r8, %%r9\n\t"
				 "subq %%r8, %%r15\n\t"
				 "leaq -16(%%r9, %%r15), %%r9\n\t"
				 "addq %%r9, %%rax\n\t"
				 "cmpq $1000, %%rcx\n\t"
				 "jb 3f\n\t"
				 "jmp 2f\n\t"
				 "3: stc\n\t"
				 "jmp 1b\n\t"
				 "2:\n\t"
				 : "=&a"(got)
				 :
				 : "rcx", "rdx", "r8", "r9", "r15", "cc");
		CHECK(got == sum, "the loop computes %#lx, not %#lx", got, sum);
	} while (!live_gone_on());
	live_pass();
}
