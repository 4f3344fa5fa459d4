/* The upper halves of the AVX registers, and AVX-512's where the processor has it, survive. */
#include "live.h"

static uint64_t in[16][4], out[16][4];
static uint64_t zin[8] __attribute__((aligned(64))), zout[8] __attribute__((aligned(64)));

#define EACH(X)                                                                                    \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD(n) "vmovdqu 32*" #n "(%[in]), %%ymm" #n "\n\t"
#define STORE(n) "vmovdqu %%ymm" #n ", 32*" #n "(%[out])\n\t"
#define WAIT                                                                                       \
	"1:\n\t"                                                                                   \
	"movq %[pause], %%rdi\n\t"                                                                 \
	"xorl %%esi, %%esi\n\t"                                                                    \
	"movl %[nanosleep], %%eax\n\t"                                                             \
	"syscall\n\t"                                                                              \
	"movl $1, %%edi\n\t"                                                                       \
	"movq %[st], %%rsi\n\t"                                                                    \
	"movl %[fstat], %%eax\n\t"                                                                 \
	"syscall\n\t"                                                                              \
	"cmpq %[size], %c[off](%[st])\n\t"                                                         \
	"jl 1b\n\t"
#define WAIT_ARGS                                                                                  \
	[pause] "r"(&nap), [st] "r"(&st), [nanosleep] "i"(SYS_nanosleep), [fstat] "i"(SYS_fstat),  \
		[size] "i"(LIVE_GO_SIZE), [off] "i"(offsetof(struct stat, st_size))

static struct stat st;
static struct timespec nap = { .tv_nsec = 2000000 };

__attribute__((target("avx"))) static void wait_avx(void)
{
	__asm__ volatile(EACH(LOAD) WAIT EACH(STORE) "vzeroupper\n\t"
			 :
			 : [in] "r"(in), [out] "r"(out), WAIT_ARGS
			 : "rax", "rcx", "rdi", "rsi", "r11", "memory", "cc", "xmm0", "xmm1",
			   "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

__attribute__((target("avx512f"))) static void wait_avx512(void)
{
	uint32_t mask = 0x5a5a, mask_out;

	__asm__ volatile("vmovdqu64 (%[in]), %%zmm31\n\t"
			 "kmovw %[mask], %%k5\n\t" WAIT "vmovdqu64 %%zmm31, (%[out])\n\t"
			 "kmovw %%k5, %[mask_out]\n\t"
			 : [mask_out] "=&r"(mask_out)
			 : [in] "r"(zin), [out] "r"(zout), [mask] "r"(mask), WAIT_ARGS
			 : "rax", "rcx", "rdi", "rsi", "r11", "memory", "cc");
	CHECK(memcmp(zin, zout, sizeof(zin)) == 0, "zmm31 changed");
	CHECK(mask == mask_out, "mask register k5 is %#x, not %#x", mask_out, mask);
}

static void avx512_child(void)
{
	wait_avx512();
}

int main(void)
{
	pid_t child = 0;

	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 4; k++)
			in[i][k] = 0x0102030405060708ULL * (unsigned int)(i + 1) + (unsigned int)k;
	for (int k = 0; k < 8; k++)
		zin[k] = 0x1111111111111111ULL * (unsigned int)(k + 1);
	if (__builtin_cpu_supports("avx512f"))
		child = live_fork(avx512_child);
	live_say("ready");
	if (__builtin_cpu_supports("avx")) {
		wait_avx();
		CHECK(memcmp(in, out, sizeof(in)) == 0, "a ymm register changed");
	} else {
		live_wait();
	}
	if (child)
		live_reap(child);
	live_pass();
}
