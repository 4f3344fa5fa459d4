/*
 * arch: what the player needs to say in assembly, x86-64.
 */
#pragma once

#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

struct pie_area;

static inline int64_t arch_syscall(uint64_t nr, const uint64_t args[6])
{
	/* cppcheck-suppress constStatement */
	register uint64_t r10 __asm__("r10") = args[3];
	/* cppcheck-suppress constStatement */
	register uint64_t r8 __asm__("r8") = args[4];
	/* cppcheck-suppress constStatement */
	register uint64_t r9 __asm__("r9") = args[5];
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/*
 * clone3 whose child has nothing of the parent's stack: it starts on the one
 * in `ca` and enters pie_enter(area, tape) there. The parent gets the result.
 */
static inline int64_t arch_fork(const struct clone_args *ca, size_t size, struct pie_area *area,
				uint64_t tape)
{
	register struct pie_area *r12 __asm__("r12") = area;
	register uint64_t r13 __asm__("r13") = tape;
	int64_t result;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r12, %%rdi\n\t"
			 "mov %%r13, %%rsi\n\t"
			 "call pie_enter\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(result)
			 : "a"((uint64_t)SYS_clone3), "D"(ca), "S"(size), "r"(r12), "r"(r13)
			 : "rcx", "r11", "cc", "memory");
	return result;
}

/* Leaves stack and code behind: goes to `entry` with the top of another stack. */
static inline __attribute__((noreturn)) void arch_become(uint64_t entry, uint64_t stack_top,
							 uint64_t area, uint64_t tape)
{
	__asm__ volatile("mov %[stack], %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "cld\n\t"
			 "jmp *%[entry]"
			 :
			 : [entry] "a"(entry), [stack] "d"(stack_top), "D"(area), "S"(tape)
			 : "memory");
	__builtin_unreachable();
}

static inline __attribute__((noreturn)) void arch_sigreturn(uint64_t frame)
{
	__asm__ volatile("mov %[frame], %%rsp\n\t"
			 "syscall\n\t"
			 "ud2"
			 :
			 : [frame] "d"(frame), "a"((uint64_t)SYS_rt_sigreturn)
			 : "memory");
	__builtin_unreachable();
}

static inline __attribute__((noreturn)) void arch_jump(uint64_t to, uint64_t flags)
{
	__asm__ volatile("push %[flags]\n\t"
			 "popfq\n\t"
			 "jmp *%[to]"
			 :
			 : [to] "a"(to), [flags] "d"(flags)
			 : "memory", "cc");
	__builtin_unreachable();
}

static inline void arch_copy(uint64_t to, uint64_t from, uint64_t len)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}
