/*
 * The way home, walked by a child under our eyes: every register must be the
 * one that was asked for.
 */
#include "../cmocka-all.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "trace/regs.h"
#include "trace/remote-mem.h"
#include "trace/slot.h"
#include "trace/stub.h"

#define AREA_LEN 8192

/* A place to arrive at: traps there and goes no further. */
__asm__(".text\nstub_landing:\n	int3\n	jmp stub_landing\n");
extern const char stub_landing[];

struct walk {
	pid_t pid;
	void *area;
	struct slot_room room;
	int mem_fd;
};

static void walk_begin(struct walk *w)
{
	w->area = mmap(NULL, AREA_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(w->area != MAP_FAILED);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(1);
	}
	assert_int_equal(waitpid(w->pid, NULL, __WALL), w->pid);
	assert_int_equal(slot_look(w->pid, &w->room, NULL), 0);
	assert_true(w->room.n > 0);
	assert_false(w->room.dirty);
	w->mem_fd = rmem_open(w->pid, NULL);
	assert_true(w->mem_fd >= 0);
}

static void walk_end(struct walk *w)
{
	close(w->mem_fd);
	assert_int_equal(kill(w->pid, SIGKILL), 0);
	assert_int_equal(waitpid(w->pid, NULL, __WALL), w->pid);
	munmap(w->area, AREA_LEN);
}

static unsigned long long any_number(void)
{
	return (unsigned long long)random() << 33 ^ (unsigned long long)random() << 11 ^
	       (unsigned long long)random();
}

static void wish(const struct walk *w, struct user_regs_struct *regs)
{
	assert_int_equal(regs_get(w->pid, regs, NULL), 0);
	regs->orig_rax = (unsigned long long)-1;
	regs->rip = (unsigned long long)(uintptr_t)stub_landing;
	regs->rax = any_number();
	regs->rbx = any_number();
	regs->rcx = any_number();
	regs->rdx = any_number();
	regs->rsi = any_number();
	regs->rdi = any_number();
	regs->rbp = any_number();
	regs->r8 = any_number();
	regs->r9 = any_number();
	regs->r10 = any_number();
	regs->r11 = any_number();
	regs->r12 = any_number();
	regs->r13 = any_number();
	regs->r14 = any_number();
	regs->r15 = any_number();
	/* Carry, parity, adjust, zero, sign, direction, overflow. */
	regs->eflags = (regs->eflags & ~0xcd5ULL) | (any_number() & 0xcd5ULL);
}

static void walk(struct walk *w, const struct stub_spec *spec, int expect_signal)
{
	struct user_regs_struct now;
	struct user_regs_struct start = *spec->regs;
	struct stub_layout layout;
	uint8_t code[STUB_LEN_MAX];
	int status = 0;
	char byte;

	stub_emit(spec, code, &layout);
	assert_true(layout.len <= STUB_LEN_MAX);
	assert_memory_equal(code + layout.area_imm, &spec->area, 8);
	assert_int_equal(rmem_poke(w->mem_fd, slot_stub(&w->room, 0), code, layout.len, NULL), 0);
	memset(&start.r15, 0x5a, 15 * 8); /* r15 .. rdi: all of them lost */
	start.rsp = spec->regs->rsp - 4096;
	start.orig_rax = (unsigned long long)-1;
	start.rip = slot_stub(&w->room, 0).v + layout.leave;
	assert_int_equal(regs_set(w->pid, &start, NULL), 0);

	assert_int_equal(ptrace(PTRACE_CONT, w->pid, NULL, NULL), 0);
	if (expect_signal) {
		assert_int_equal(waitpid(w->pid, &status, __WALL), w->pid);
		assert_true(WIFSTOPPED(status));
		assert_int_equal(WSTOPSIG(status), expect_signal);
		assert_int_equal(ptrace(PTRACE_CONT, w->pid, NULL, NULL), 0);
	}
	assert_int_equal(waitpid(w->pid, &status, __WALL), w->pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGTRAP);
	assert_int_equal(regs_get(w->pid, &now, NULL), 0);
	now.rip--; /* the trap is behind its instruction */
	now.orig_rax = spec->regs->orig_rax;
	assert_memory_equal(&now, spec->regs, sizeof(now));
	assert_int_equal(rmem_read(w->pid, raddr_of(spec->area), &byte, 1, NULL), -EFAULT);
}

static void all_registers_arrive(void **state UNUSED)
{
	struct user_regs_struct regs;
	struct walk w;

	walk_begin(&w);
	for (unsigned int i = 0; i < 50; i++) {
		wish(&w, &regs);
		walk(&w,
		     &(struct stub_spec){
			     .regs = &regs,
			     .area = (uint64_t)(uintptr_t)w.area,
			     .area_size = AREA_LEN,
		     },
		     0);
	}
	walk_end(&w);
}

static void the_mask_is_put_back_and_the_tracer_called(void **state UNUSED)
{
	struct user_regs_struct regs;
	uint64_t mask = 0;
	struct walk w;

	walk_begin(&w);
	wish(&w, &regs);
	assert_int_equal(regs_set_sigmask(w.pid, 0, NULL), 0);
	walk(&w,
	     &(struct stub_spec){
		     .regs = &regs,
		     .area = (uint64_t)(uintptr_t)w.area,
		     .area_size = AREA_LEN,
		     .with_map = true,
		     .with_ping = true,
		     .ns_tgid = w.pid,
		     .ns_tid = w.pid,
		     .signal = SIGURG,
		     .with_mask = true,
		     .sigmask = 0x123456789a00,
	     },
	     SIGURG);
	assert_int_equal(regs_get_sigmask(w.pid, &mask, NULL), 0);
	assert_int_equal(mask, 0x123456789a00);
	walk_end(&w);
}

static void slots_are_taken_in_turn(void **state UNUSED)
{
	struct slot_room room = { .n = 3 };
	uint32_t sequence = 0;

	assert_int_equal(slot_choose(&room, &sequence), 0);
	assert_int_equal(sequence, 1);
	room.heads[0].sequence = 7;
	assert_int_equal(slot_choose(&room, &sequence), 1);
	assert_int_equal(sequence, 8);
	room.heads[1].sequence = 8;
	room.heads[2].sequence = 9;
	assert_int_equal(slot_choose(&room, &sequence), 0);
	assert_int_equal(sequence, 10);
}

static void strange_images_have_no_padding(void **state UNUSED)
{
	uint8_t image[8192] = { 0 };
	size_t offset = 0;

	assert_int_equal(slot_padding_of(image, sizeof(image), &offset, NULL), -EOPNOTSUPP);
	for (unsigned int i = 0; i < 2000; i++) {
		for (size_t j = 0; j < 200; j++)
			image[j] = (uint8_t)random();
		memcpy(image, "\177ELF\2", 5);
		if (slot_padding_of(image, (size_t)random() % sizeof(image), &offset, NULL) == 0)
			assert_true(offset < sizeof(image));
	}
}

static void foreign_padding_is_left_alone(void **state UNUSED)
{
	struct slot_room room;
	struct walk w;

	walk_begin(&w);
	assert_int_equal(rmem_poke(w.mem_fd, raddr_add(w.room.start, 5), "x", 1, NULL), 0);
	assert_int_equal(slot_look(w.pid, &room, NULL), -EOPNOTSUPP);
	walk_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_registers_arrive),
		cmocka_unit_test(the_mask_is_put_back_and_the_tracer_called),
		cmocka_unit_test(slots_are_taken_in_turn),
		cmocka_unit_test(strange_images_have_no_padding),
		cmocka_unit_test(foreign_padding_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
