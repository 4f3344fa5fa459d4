#include "img/show-style.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const struct show_word map_prot[] = {
	{ 0x1, "PROT_READ" },
	{ 0x2, "PROT_WRITE" },
	{ 0x4, "PROT_EXEC" },
	{ 0, NULL },
};

static const struct show_word map_flags[] = {
	{ 0x1, "MAP_SHARED" }, { 0x2, "MAP_PRIVATE" },	   { 0x8, "MAP_DROPPABLE" },
	{ 0x20, "MAP_ANON" },  { 0x100, "MAP_GROWSDOWN" }, { 0, NULL },
};

static const struct show_word map_status[] = {
	{ 1u << 0, "VMA_AREA_REGULAR" },  { 1u << 1, "VMA_AREA_STACK" },
	{ 1u << 2, "VMA_AREA_VSYSCALL" }, { 1u << 3, "VMA_AREA_VDSO" },
	{ 1u << 5, "VMA_AREA_HEAP" },	  { 1u << 6, "VMA_FILE_PRIVATE" },
	{ 1u << 7, "VMA_FILE_SHARED" },	  { 1u << 8, "VMA_ANON_SHARED" },
	{ 1u << 9, "VMA_ANON_PRIVATE" },  { 1u << 10, "VMA_AREA_SYSVIPC" },
	{ 1u << 11, "VMA_AREA_SOCKET" },  { 1u << 12, "VMA_AREA_VVAR" },
	{ 1u << 13, "VMA_AREA_AIORING" }, { 1u << 14, "VMA_AREA_MEMFD" },
	{ 1u << 15, "VMA_AREA_SHSTK" },	  { 1u << 17, "VMA_AREA_UPROBES" },
	{ 1u << 31, "VMA_UNSUPP" },	  { 0, NULL },
};

/* The kernel's numbers on x86, not libc's: there O_LARGEFILE is 0. */
static const struct show_word open_flags[] = {
	{ 00000001, "O_WRONLY" },
	{ 00000002, "O_RDWR" },
	{ 00000100, "O_CREAT" },
	{ 00000200, "O_EXCL" },
	{ 00000400, "O_NOCTTY" },
	{ 00001000, "O_TRUNC" },
	{ 00002000, "O_APPEND" },
	{ 00004000, "O_NONBLOCK" },
	{ 00010000, "O_DSYNC" },
	{ 00020000, "FASYNC" },
	{ 00040000, "O_DIRECT" },
	{ 00100000, "O_LARGEFILE" },
	{ 00200000, "O_DIRECTORY" },
	{ 00400000, "O_NOFOLLOW" },
	{ 01000000, "O_NOATIME" },
	{ 02000000, "O_CLOEXEC" },
	{ 0, NULL },
};

static const struct show_word seals[] = {
	{ 0x01, "F_SEAL_SEAL" },  { 0x02, "F_SEAL_SHRINK" },	   { 0x04, "F_SEAL_GROW" },
	{ 0x08, "F_SEAL_WRITE" }, { 0x10, "F_SEAL_FUTURE_WRITE" }, { 0, NULL },
};

static const struct show_word page_flags[] = {
	{ 1u << 0, "PE_PARENT" },
	{ 1u << 1, "PE_LAZY" },
	{ 1u << 2, "PE_PRESENT" },
	{ 0, NULL },
};

/*
 * Stopped is 3 and a zombie 6 in the images; crit calls them the other way
 * round. A number is neither a lie nor misread by crit's encode.
 */
static const struct show_word task_states[] = {
	{ 1, "Alive" },
	{ 0, NULL },
};

static const struct show_word socket_families[] = {
	{ 1, "UNIX" },	   { 2, "INET" },    { 10, "INET6" },
	{ 16, "NETLINK" }, { 17, "PACKET" }, { 0, NULL },
};

static const struct show_word socket_types[] = {
	{ 1, "STREAM" },    { 2, "DGRAM" },   { 3, "RAW" },
	{ 5, "SEQPACKET" }, { 10, "PACKET" }, { 0, NULL },
};

static const struct show_word socket_states[] = {
	{ 1, "ESTABLISHED" }, { 2, "SYN_SENT" },  { 3, "SYN_RECV" }, { 4, "FIN_WAIT1" },
	{ 5, "FIN_WAIT2" },   { 6, "TIME_WAIT" }, { 7, "CLOSE" },    { 8, "CLOSE_WAIT" },
	{ 9, "LAST_ACK" },    { 10, "LISTEN" },	  { 0, NULL },
};

static const struct show_word socket_protocols[] = {
	{ 0, "IP" }, { 6, "TCP" }, { 17, "UDP" }, { 136, "UDPLITE" }, { 0, NULL },
};

/* Sorted by message, then field: it is searched by halves. */
/* clang-format off */
static const struct show_style styles[] = {
	{ "bpfmap_file_entry", "flags", SHOW_FLAGS, open_flags },
	{ "fanotify_file_entry", "evflags", SHOW_HEX },
	{ "fanotify_file_entry", "faflags", SHOW_HEX },
	{ "fanotify_file_entry", "flags", SHOW_HEX },
	{ "fanotify_mark_entry", "ignored_mask", SHOW_HEX },
	{ "fanotify_mark_entry", "mask", SHOW_HEX },
	{ "fanotify_mark_entry", "mflags", SHOW_HEX },
	{ "fanotify_mark_entry", "s_dev", SHOW_DEVICE },
	{ "ghost_file_entry", "dev", SHOW_DEVICE },
	{ "ghost_file_entry", "rdev", SHOW_OLD_DEVICE },
	{ "inet_sk_entry", "dst_addr", SHOW_ADDRESS },
	{ "inet_sk_entry", "family", SHOW_WORD, socket_families },
	{ "inet_sk_entry", "flags", SHOW_HEX },
	{ "inet_sk_entry", "proto", SHOW_WORD, socket_protocols },
	{ "inet_sk_entry", "src_addr", SHOW_ADDRESS },
	{ "inet_sk_entry", "state", SHOW_WORD, socket_states },
	{ "inet_sk_entry", "type", SHOW_WORD, socket_types },
	{ "inotify_file_entry", "flags", SHOW_HEX },
	{ "inotify_wd_entry", "ignored_mask", SHOW_HEX },
	{ "inotify_wd_entry", "mask", SHOW_HEX },
	{ "inotify_wd_entry", "s_dev", SHOW_DEVICE },
	{ "irmap_cache_entry", "dev", SHOW_OLD_DEVICE },
	{ "memfd_file_entry", "flags", SHOW_FLAGS, open_flags },
	{ "memfd_inode_entry", "seals", SHOW_FLAGS, seals },
	{ "mm_entry", "mm_arg_end", SHOW_HEX },
	{ "mm_entry", "mm_arg_start", SHOW_HEX },
	{ "mm_entry", "mm_brk", SHOW_HEX },
	{ "mm_entry", "mm_end_code", SHOW_HEX },
	{ "mm_entry", "mm_end_data", SHOW_HEX },
	{ "mm_entry", "mm_env_end", SHOW_HEX },
	{ "mm_entry", "mm_env_start", SHOW_HEX },
	{ "mm_entry", "mm_start_brk", SHOW_HEX },
	{ "mm_entry", "mm_start_code", SHOW_HEX },
	{ "mm_entry", "mm_start_data", SHOW_HEX },
	{ "mm_entry", "mm_start_stack", SHOW_HEX },
	{ "mnt_entry", "flags", SHOW_HEX },
	{ "mnt_entry", "root_dev", SHOW_DEVICE },
	{ "mnt_entry", "sb_flags", SHOW_HEX },
	{ "net_device_entry", "flags", SHOW_HEX },
	{ "netlink_sk_entry", "flags", SHOW_HEX },
	{ "packet_sock_entry", "flags", SHOW_HEX },
	{ "pagemap_entry", "flags", SHOW_FLAGS, page_flags },
	{ "pagemap_entry", "vaddr", SHOW_HEX },
	{ "pipe_entry", "flags", SHOW_HEX },
	{ "reg_file_entry", "flags", SHOW_FLAGS, open_flags },
	{ "sa_entry", "flags", SHOW_HEX },
	{ "sa_entry", "mask", SHOW_HEX },
	{ "sa_entry", "mask_extended", SHOW_HEX },
	{ "sa_entry", "restorer", SHOW_HEX },
	{ "sa_entry", "sigaction", SHOW_HEX },
	{ "signalfd_entry", "flags", SHOW_HEX },
	{ "signalfd_entry", "sigmask", SHOW_HEX },
	{ "sit_entry", "local", SHOW_ADDRESS },
	{ "sit_entry", "rd_prefix", SHOW_ADDRESS },
	{ "sit_entry", "relay_prefix", SHOW_ADDRESS },
	{ "sit_entry", "remote", SHOW_ADDRESS },
	{ "task_core_entry", "blk_sigset", SHOW_HEX },
	{ "task_core_entry", "blk_sigset_extended", SHOW_HEX },
	{ "task_core_entry", "membarrier_registration_mask", SHOW_HEX },
	{ "task_core_entry", "task_state", SHOW_WORD, task_states },
	{ "tcp_stream_entry", "opt_mask", SHOW_HEX },
	{ "thread_info_x86", "clear_tid_addr", SHOW_HEX },
	{ "thread_info_x86", "gpregs", SHOW_HEX },
	{ "timerfd_entry", "flags", SHOW_HEX },
	{ "timerfd_entry", "settime_flags", SHOW_HEX },
	{ "tty_file_entry", "flags", SHOW_HEX },
	{ "tun_link_entry", "flags", SHOW_HEX },
	{ "unix_sk_entry", "flags", SHOW_HEX },
	{ "unix_sk_entry", "name", SHOW_QUOTED },
	{ "unix_sk_entry", "state", SHOW_WORD, socket_states },
	{ "unix_sk_entry", "type", SHOW_WORD, socket_types },
	{ "unix_sk_entry", "uflags", SHOW_HEX },
	{ "user_x86_cet_entry", "cet", SHOW_HEX },
	{ "user_x86_cet_entry", "ssp", SHOW_HEX },
	{ "vma_entry", "end", SHOW_HEX },
	{ "vma_entry", "fdflags", SHOW_HEX },
	{ "vma_entry", "flags", SHOW_FLAGS, map_flags },
	{ "vma_entry", "madv", SHOW_HEX },
	{ "vma_entry", "prot", SHOW_FLAGS, map_prot },
	{ "vma_entry", "start", SHOW_HEX },
	{ "vma_entry", "status", SHOW_FLAGS, map_status },
};
/* clang-format on */

static int compare(const void *key, const void *row)
{
	const struct show_style *a = key;
	const struct show_style *b = row;
	int r = strcmp(a->message, b->message);

	return r ? r : strcmp(a->field, b->field);
}

const struct show_style *show_style(const char *message, const char *field)
{
	static const struct show_style plain = { .as = SHOW_PLAIN };
	const struct show_style key = { .message = message, .field = field };
	const struct show_style *found =
		bsearch(&key, styles, ARRAY_SIZE(styles), sizeof(styles[0]), compare);

	return found ? found : &plain;
}
