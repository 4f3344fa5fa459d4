#include "ckpt/sk-opts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/sk-more.h"
#include "ckpt/userns.h"
#include "trace/area.h"
#include "trace/tape.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

#ifndef SO_LOCK_FILTER
#define SO_LOCK_FILTER 44
#endif

/* Switches: a has_ field and a bool each. Only those that are on are set again. */
#define SWITCHES(X)                                                                                \
	X(so_dontroute, SO_DONTROUTE)                                                              \
	X(so_no_check, SO_NO_CHECK)                                                                \
	X(so_broadcast, SO_BROADCAST)                                                              \
	X(so_keepalive, SO_KEEPALIVE)                                                              \
	X(so_oobinline, SO_OOBINLINE)

/* The same, but since Linux 6.16 only sockets that can pass such things have them. */
#define PASSING(X)                                                                                 \
	X(so_passcred, SO_PASSCRED)                                                                \
	X(so_passsec, SO_PASSSEC)

/* Numbers: a has_ field and a uint32_t each. 0 is the default of all but SO_RCVLOWAT. */
#define NUMBERS(X)                                                                                 \
	X(so_priority, SO_PRIORITY)                                                                \
	X(so_rcvlowat, SO_RCVLOWAT)                                                                \
	X(so_mark, SO_MARK)

static int get_u32(int fd, int option, const char *where, uint32_t *ret, struct error *err)
{
	socklen_t len = sizeof(*ret);

	if (getsockopt(fd, SOL_SOCKET, option, ret, &len) < 0)
		return err_sys(err, "%s: socket option %d", where, option);
	return 0;
}

static int get_timeout(int fd, int option, const char *where, uint64_t *ret_s, uint64_t *ret_us,
		       struct error *err)
{
	struct timeval time;
	socklen_t len = sizeof(time);

	if (getsockopt(fd, SOL_SOCKET, option, &time, &len) < 0)
		return err_sys(err, "%s: socket option %d", where, option);
	*ret_s = (uint64_t)time.tv_sec;
	*ret_us = (uint64_t)time.tv_usec;
	return 0;
}

/* One instruction as the images have it: the same number on machines of either byte order. */
static uint64_t pack(struct sock_filter f)
{
	return (uint64_t)f.code << 48 | (uint64_t)f.jt << 40 | (uint64_t)f.jf << 32 | f.k;
}

static struct sock_filter unpack(uint64_t v)
{
	return (struct sock_filter){ .code = (uint16_t)(v >> 48),
				     .jt = (uint8_t)(v >> 40),
				     .jf = (uint8_t)(v >> 32),
				     .k = (uint32_t)v };
}

static int get_filter(int fd, const char *where, struct arena *arena, SkOptsEntry *opts,
		      struct error *err)
{
	socklen_t n = 0; /* of instructions, not bytes */
	struct sock_filter *code;

	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n) < 0) {
		/* An eBPF one. */
		if (errno == EACCES)
			return err_set(err, -EOPNOTSUPP,
				       "%s: socket: its filter is an eBPF program, which can't be "
				       "saved",
				       where);
		return err_sys(err, "%s: its socket filter", where);
	}
	if (!n)
		return 0;
	code = arena_new_array(arena, struct sock_filter, n);
	opts->so_filter = arena_new_array(arena, uint64_t, n);
	if (!code || !opts->so_filter)
		return err_oom(err);
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &n) < 0)
		return err_sys(err, "%s: its socket filter", where);
	for (socklen_t i = 0; i < n; i++)
		opts->so_filter[i] = pack(code[i]);
	opts->n_so_filter = n;
	return 0;
}

/* Bound to a device, shared with others, and whose it is: not of all families. */
static int get_place(struct dump *dump, int fd, const char *where, SkOptsEntry *opts,
		     struct error *err)
{
	char device[IFNAMSIZ] = "";
	socklen_t len = sizeof(device);
	uint32_t value = 0;
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) == 0 && len) {
		opts->so_bound_dev = arena_strndup(&dump->arena, device, len);
		if (!opts->so_bound_dev)
			return err_oom(err);
	}
	if (get_u32(fd, SO_REUSEPORT, where, &value, NULL) == 0) {
		opts->has_so_reuseport = true;
		opts->so_reuseport = value != 0;
	}
	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s: stat", where);
	/* Ours, if it was made outside of the tree's user namespace: that can't be given back. */
	opts->owner_uid = st.st_uid ? userns_uid(dump, st.st_uid) : 0;
	opts->has_owner_uid = opts->owner_uid != 0;
	opts->owner_gid = st.st_gid ? userns_gid(dump, st.st_gid) : 0;
	opts->has_owner_gid = opts->owner_gid != 0;
	return 0;
}

int sk_opts_dump(struct dump *dump, int fd, const char *where, SkOptsEntry *opts, struct error *err)
{
	struct arena *arena = &dump->arena;
	struct linger linger;
	socklen_t len = sizeof(linger);
	uint32_t value = 0;
	int r;

#define GET_SWITCH(field, option)                                                                  \
	r = get_u32(fd, option, where, &value, err);                                               \
	if (r < 0)                                                                                 \
		return r;                                                                          \
	opts->has_##field = true;                                                                  \
	opts->field = value != 0;
#define GET_NUMBER(field, option)                                                                  \
	r = get_u32(fd, option, where, &value, err);                                               \
	if (r < 0)                                                                                 \
		return r;                                                                          \
	opts->has_##field = true;                                                                  \
	opts->field = value;
#define GET_PASSING(field, option)                                                                 \
	opts->has_##field = get_u32(fd, option, where, &value, NULL) == 0;                         \
	opts->field = opts->has_##field && value != 0;
	SWITCHES(GET_SWITCH)
	PASSING(GET_PASSING)
	NUMBERS(GET_NUMBER)
#undef GET_SWITCH
#undef GET_NUMBER
#undef GET_PASSING
	r = get_u32(fd, SO_SNDBUF, where, &opts->so_sndbuf, err);
	if (r == 0)
		r = get_u32(fd, SO_RCVBUF, where, &opts->so_rcvbuf, err);
	if (r == 0)
		r = get_timeout(fd, SO_SNDTIMEO, where, &opts->so_snd_tmo_sec,
				&opts->so_snd_tmo_usec, err);
	if (r == 0)
		r = get_timeout(fd, SO_RCVTIMEO, where, &opts->so_rcv_tmo_sec,
				&opts->so_rcv_tmo_usec, err);
	if (r == 0)
		r = get_filter(fd, where, arena, opts, err);
	if (r == 0)
		r = get_place(dump, fd, where, opts, err);
	if (r == 0)
		r = sk_more_dump(dump, fd, where, opts, err);
	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff) {
		opts->has_so_linger = true;
		opts->so_linger = (uint32_t)linger.l_linger;
	}
	if (get_u32(fd, SO_REUSEADDR, where, &value, NULL) == 0) {
		opts->has_reuseaddr = true;
		opts->reuseaddr = value != 0;
	}
	/* Since Linux 5.14; before, nothing can be locked in a way that shows. */
	if (get_u32(fd, SO_BUF_LOCK, where, &value, NULL) == 0) {
		opts->has_so_buf_lock = true;
		opts->so_buf_lock = value;
	}
	value = 0;
	if (get_u32(fd, SO_LOCK_FILTER, where, &value, NULL) == 0 && value)
		r = sk_more_add(dump, opts, SOL_SOCKET, SO_LOCK_FILTER, &value, sizeof(value), err);
	return r;
}

static void tape_option(struct area *area, struct tape *tape, int staging, int option,
			const void *value, size_t len)
{
	tape_call(tape, SYS_setsockopt,
		  TAPE_ARGS(tape_imm((uint64_t)staging), tape_imm(SOL_SOCKET),
			    tape_imm((uint64_t)option), tape_at(area_add(area, value, len)),
			    tape_imm(len)),
		  "socket option %d", option);
}

static void tape_u32(struct area *area, struct tape *tape, int staging, int option, uint32_t value)
{
	tape_option(area, tape, staging, option, &value, sizeof(value));
}

static void tape_filter(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts)
{
	/* struct sock_fprog: the number, and where in this task's memory they are. */
	uint64_t program, code;
	struct sock_filter *f;
	struct sock_fprog *fprog;

	if (!opts->n_so_filter || opts->n_so_filter > BPF_MAXINSNS)
		return;
	program = area_alloc(area, sizeof(struct sock_fprog), 8);
	code = area_alloc(area, opts->n_so_filter * sizeof(*f), 8);
	fprog = area_data(area, program);
	f = area_data(area, code);
	if (!program || !code || !fprog || !f)
		return; /* out of memory: told when the area is sealed */
	for (size_t i = 0; i < opts->n_so_filter; i++)
		f[i] = unpack(opts->so_filter[i]);
	fprog->len = (unsigned short)opts->n_so_filter;
	tape_op(tape, PIE_OP_STORE64,
		TAPE_ARGS(tape_at(program + offsetof(struct sock_fprog, filter)), tape_at(code)),
		"socket filter");
	tape_call(tape, SYS_setsockopt,
		  TAPE_ARGS(tape_imm((uint64_t)staging), tape_imm(SOL_SOCKET),
			    tape_imm(SO_ATTACH_FILTER), tape_at(program),
			    tape_imm(sizeof(struct sock_fprog))),
		  "socket filter of %zu instructions", opts->n_so_filter);
}

/* In a user namespace nobody may go beyond the system's limit; nobody could before. */
static void tape_room(struct area *area, struct tape *tape, int staging, int option, int force,
		      uint32_t value)
{
	tape_u32(area, tape, staging, option, value);
	tape_u32(area, tape, staging, force, value);
	tape_expect(tape, (uint32_t)(tape->n - 1), PIE_RULE_OK_OR, EPERM);
}

void sk_opts_tape(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts)
{
	struct timeval send = { (time_t)opts->so_snd_tmo_sec, (suseconds_t)opts->so_snd_tmo_usec };
	struct timeval receive = { (time_t)opts->so_rcv_tmo_sec,
				   (suseconds_t)opts->so_rcv_tmo_usec };

	/* The kernel doubles what it is given. */
	tape_room(area, tape, staging, SO_SNDBUF, SO_SNDBUFFORCE, opts->so_sndbuf / 2);
	tape_room(area, tape, staging, SO_RCVBUF, SO_RCVBUFFORCE, opts->so_rcvbuf / 2);
	/* Setting them has locked them. */
	if (opts->has_so_buf_lock)
		tape_u32(area, tape, staging, SO_BUF_LOCK, opts->so_buf_lock);
#define SET_SWITCH(field, option)                                                                  \
	if (opts->has_##field && opts->field)                                                      \
		tape_u32(area, tape, staging, option, 1);
#define SET_NUMBER(field, option)                                                                  \
	if (opts->has_##field && opts->field != (option == SO_RCVLOWAT))                           \
		tape_u32(area, tape, staging, option, opts->field);
	SWITCHES(SET_SWITCH)
	PASSING(SET_SWITCH)
	NUMBERS(SET_NUMBER)
#undef SET_SWITCH
#undef SET_NUMBER
	if (opts->has_reuseaddr && opts->reuseaddr)
		tape_u32(area, tape, staging, SO_REUSEADDR, 1);
	if (opts->has_so_linger) {
		struct linger linger = { 1, (int)opts->so_linger };

		tape_option(area, tape, staging, SO_LINGER, &linger, sizeof(linger));
	}
	if (send.tv_sec || send.tv_usec)
		tape_option(area, tape, staging, SO_SNDTIMEO, &send, sizeof(send));
	if (receive.tv_sec || receive.tv_usec)
		tape_option(area, tape, staging, SO_RCVTIMEO, &receive, sizeof(receive));
	tape_filter(area, tape, staging, opts);
	sk_more_tape(area, tape, staging, opts, true);
	if (opts->owner_uid || opts->owner_gid)
		tape_call(tape, SYS_fchownat,
			  TAPE_ARGS(tape_imm((uint64_t)staging), tape_at(area_add_string(area, "")),
				    tape_imm(opts->owner_uid), tape_imm(opts->owner_gid),
				    tape_imm(AT_EMPTY_PATH)),
			  "socket belongs to user %u", opts->owner_uid);
}

void sk_opts_tape_early(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts)
{
	if (opts->so_bound_dev)
		tape_call(tape, SYS_setsockopt,
			  TAPE_ARGS(tape_imm((uint64_t)staging), tape_imm(SOL_SOCKET),
				    tape_imm(SO_BINDTODEVICE),
				    tape_at(area_add_string(area, opts->so_bound_dev)),
				    tape_imm(strlen(opts->so_bound_dev) + 1)),
			  "binding a socket to device '%s'", opts->so_bound_dev);
	sk_more_tape(area, tape, staging, opts, false);
}
