#include "img/kind.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "img/pb/apparmor.pb-c.h"
#include "img/pb/autofs.pb-c.h"
#include "img/pb/binfmt-misc.pb-c.h"
#include "img/pb/bpfmap-data.pb-c.h"
#include "img/pb/cgroup.pb-c.h"
#include "img/pb/core.pb-c.h"
#include "img/pb/cpuinfo.pb-c.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/file-lock.pb-c.h"
#include "img/pb/fs.pb-c.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/inventory.pb-c.h"
#include "img/pb/ipc-msg.pb-c.h"
#include "img/pb/ipc-sem.pb-c.h"
#include "img/pb/ipc-shm.pb-c.h"
#include "img/pb/ipc-var.pb-c.h"
#include "img/pb/mm.pb-c.h"
#include "img/pb/mnt.pb-c.h"
#include "img/pb/mqueue.pb-c.h"
#include "img/pb/netdev.pb-c.h"
#include "img/pb/pagemap.pb-c.h"
#include "img/pb/pidns.pb-c.h"
#include "img/pb/pipe-data.pb-c.h"
#include "img/pb/pstree.pb-c.h"
#include "img/pb/remap-file-path.pb-c.h"
#include "img/pb/seccomp.pb-c.h"
#include "img/pb/sk-packet.pb-c.h"
#include "img/pb/stats.pb-c.h"
#include "img/pb/timens.pb-c.h"
#include "img/pb/userns.pb-c.h"
#include "img/pb/utsns.pb-c.h"

#define ONE(n, file, m, msg)                                                                       \
	{                                                                                          \
		.name = (n), .pattern = (file), .first_magic = IMG_COMMON_MAGIC, .magic = (m),     \
		.record = &msg##__descriptor                                                       \
	}
#define MANY(n, file, m, msg)                                                                      \
	{                                                                                          \
		.name = (n), .pattern = (file), .has_id = true, .first_magic = IMG_COMMON_MAGIC,   \
		.magic = (m), .record = &msg##__descriptor                                         \
	}
#define SERVICE(n, file, m, msg)                                                                   \
	{                                                                                          \
		.name = (n), .pattern = (file), .first_magic = IMG_SERVICE_MAGIC, .magic = (m),    \
		.record = &msg##__descriptor                                                       \
	}
#define EXTRA(n, file, m, msg, kind)                                                               \
	{                                                                                          \
		.name = (n), .pattern = (file), .first_magic = IMG_COMMON_MAGIC, .magic = (m),     \
		.record = &msg##__descriptor, .extra = (kind)                                      \
	}
#define MANY_EXTRA(n, file, m, msg, kind)                                                          \
	{                                                                                          \
		.name = (n), .pattern = (file), .has_id = true, .first_magic = IMG_COMMON_MAGIC,   \
		.magic = (m), .record = &msg##__descriptor, .extra = (kind)                        \
	}
#define PAGEMAP(file)                                                                              \
	{                                                                                          \
		.name = "PAGEMAP", .pattern = (file), .has_id = true,                              \
		.first_magic = IMG_COMMON_MAGIC, .magic = 0x56084025,                              \
		.record = &pagemap_head__descriptor, .rest = &pagemap_entry__descriptor            \
	}
#define RAW(file)                                                                                  \
	{                                                                                          \
		.pattern = (file), .has_id = true                                                  \
	}

/* clang-format off */
static const struct img_kind_info kinds[IMG_KIND_N] = {
	[IMG_KIND_INVENTORY] = {
		.name = "INVENTORY",
		.pattern = "inventory.img",
		.magic = 0x58313116, /* the only record file with a single magic word */
		.record = &inventory_entry__descriptor,
	},
	[IMG_KIND_PSTREE]        = ONE("PSTREE", "pstree.img", 0x50273030, pstree_entry),
	[IMG_KIND_CORE]          = MANY("CORE", "core-%u.img", 0x55053847, core_entry),
	[IMG_KIND_IDS]           = MANY("IDS", "ids-%u.img", 0x54432030, task_kobj_ids_entry),
	[IMG_KIND_MM]            = MANY("MM", "mm-%u.img", 0x57492820, mm_entry),
	[IMG_KIND_PAGEMAP]       = PAGEMAP("pagemap-%u.img"),
	[IMG_KIND_PAGEMAP_SHMEM] = PAGEMAP("pagemap-shmem-%u.img"),
	[IMG_KIND_PAGES]         = RAW("pages-%u.img"),
	[IMG_KIND_FDINFO]        = MANY("FDINFO", "fdinfo-%u.img", 0x56213732, fdinfo_entry),
	[IMG_KIND_FILES]         = ONE("FILES", "files.img", 0x56303138, file_entry),
	[IMG_KIND_FS]            = MANY("FS", "fs-%u.img", 0x51403912, fs_entry),
	[IMG_KIND_CREDS]         = MANY("CREDS", "creds-%u.img", 0x54023547, creds_entry),
	[IMG_KIND_RLIMIT]        = MANY("RLIMIT", "rlimit-%u.img", 0x57113925, rlimit_entry),
	[IMG_KIND_ITIMERS]       = MANY("ITIMERS", "itimers-%u.img", 0x57464056, itimer_entry),
	[IMG_KIND_POSIX_TIMERS]  = MANY("POSIX_TIMERS", "posix-timers-%u.img", 0x52603957, posix_timer_entry),
	[IMG_KIND_SIGACT]        = MANY("SIGACT", "sigacts-%u.img", 0x55344201, sa_entry),
	[IMG_KIND_VMAS]          = MANY("VMAS", "vmas-%u.img", 0x54123737, vma_entry),
	[IMG_KIND_SECCOMP]       = ONE("SECCOMP", "seccomp.img", 0x64413049, seccomp_entry),
	[IMG_KIND_CGROUP]        = ONE("CGROUP", "cgroup.img", 0x59383330, cgroup_entry),
	[IMG_KIND_CPUINFO]       = ONE("CPUINFO", "cpuinfo.img", 0x61404013, cpuinfo_entry),
	[IMG_KIND_TIMENS]        = MANY("TIMENS", "timens-%u.img", 0x43114433, timens_entry),
	[IMG_KIND_PIDNS]         = MANY("PIDNS", "pidns-%u.img", 0x61157326, pidns_entry),
	[IMG_KIND_USERNS]        = MANY("USERNS", "userns-%u.img", 0x55474906, userns_entry),
	[IMG_KIND_UTSNS]         = MANY("UTSNS", "utsns-%u.img", 0x54473203, utsns_entry),
	[IMG_KIND_IPC_VAR]       = MANY("IPC_VAR", "ipcns-var-%u.img", 0x53115007, ipc_var_entry),
	[IMG_KIND_IPC_SHM]       = MANY_EXTRA("IPCNS_SHM", "ipcns-shm-%u.img", 0x46283044, ipc_shm_entry, IMG_EXTRA_SHM),
	[IMG_KIND_IPC_MSG]       = MANY_EXTRA("IPCNS_MSG", "ipcns-msg-%u.img", 0x55453737, ipc_msg_entry, IMG_EXTRA_MESSAGES),
	[IMG_KIND_IPC_SEM]       = MANY_EXTRA("IPCNS_SEM", "ipcns-sem-%u.img", 0x59573019, ipc_sem_entry, IMG_EXTRA_SEM),
	[IMG_KIND_MNTS]          = MANY("MNTS", "mountpoints-%u.img", 0x55563928, mnt_entry),
	[IMG_KIND_NETDEV]        = MANY("NETDEV", "netdev-%u.img", 0x57373951, net_device_entry),
	[IMG_KIND_NETNS]         = MANY("NETNS", "netns-%u.img", 0x55933752, netns_entry),
	[IMG_KIND_IFADDR]        = RAW("ifaddr-%u.img"),
	[IMG_KIND_ROUTE]         = RAW("route-%u.img"),
	[IMG_KIND_ROUTE6]        = RAW("route6-%u.img"),
	[IMG_KIND_RULE]          = RAW("rule-%u.img"),
	[IMG_KIND_IPTABLES]      = RAW("iptables-%u.img"),
	[IMG_KIND_IP6TABLES]     = RAW("ip6tables-%u.img"),
	[IMG_KIND_NFTABLES]      = RAW("nftables-%u.img"),
	[IMG_KIND_NETNS_CT]      = RAW("netns-ct-%u.img"),
	[IMG_KIND_NETNS_EXP]     = RAW("netns-exp-%u.img"),
	[IMG_KIND_TMPFS]         = RAW("tmpfs-%u.tar.gz.img"),
	[IMG_KIND_TMPFS_DEV]     = RAW("tmpfs-dev-%u.tar.gz.img"),
	[IMG_KIND_AUTOFS]        = MANY("AUTOFS", "autofs-%u.img", 0x49353943, autofs_entry),
	[IMG_KIND_BINFMT_MISC]   = ONE("BINFMT_MISC", "binfmt-misc.img", 0x67343323, binfmt_misc_entry),
	[IMG_KIND_REG_FILES]     = ONE("REG_FILES", "reg-files.img", 0x50363636, reg_file_entry),
	[IMG_KIND_EXT_FILES]     = ONE("EXT_FILES", "ext-files.img", 0x59255641, ext_file_entry),
	[IMG_KIND_NS_FILES]      = ONE("NS_FILES", "ns-files.img", 0x61394011, ns_file_entry),
	[IMG_KIND_PIPES]         = ONE("PIPES", "pipes.img", 0x56513555, pipe_entry),
	[IMG_KIND_PIPES_DATA]    = EXTRA("PIPES_DATA", "pipes-data.img", 0x56453709, pipe_data_entry, IMG_EXTRA_PIPE),
	[IMG_KIND_FIFO]          = ONE("FIFO", "fifo.img", 0x58364939, fifo_entry),
	[IMG_KIND_FIFO_DATA]     = EXTRA("FIFO_DATA", "fifo-data.img", 0x59333054, pipe_data_entry, IMG_EXTRA_PIPE),
	[IMG_KIND_EVENTFD]       = ONE("EVENTFD_FILE", "eventfd.img", 0x44523722, eventfd_file_entry),
	[IMG_KIND_EVENTPOLL]     = ONE("EVENTPOLL_FILE", "eventpoll.img", 0x45023858, eventpoll_file_entry),
	[IMG_KIND_EVENTPOLL_TFD] = ONE("EVENTPOLL_TFD", "eventpoll-tfd.img", 0x44433746, eventpoll_tfd_entry),
	[IMG_KIND_SIGNALFD]      = ONE("SIGNALFD", "signalfd.img", 0x57323820, signalfd_entry),
	[IMG_KIND_TIMERFD]       = ONE("TIMERFD", "timerfd.img", 0x50493712, timerfd_entry),
	[IMG_KIND_INOTIFY]       = ONE("INOTIFY_FILE", "inotify.img", 0x48424431, inotify_file_entry),
	[IMG_KIND_INOTIFY_WD]    = ONE("INOTIFY_WD", "inotify-wd.img", 0x54562009, inotify_wd_entry),
	[IMG_KIND_FANOTIFY]      = ONE("FANOTIFY_FILE", "fanotify.img", 0x55096122, fanotify_file_entry),
	[IMG_KIND_FANOTIFY_MARK] = ONE("FANOTIFY_MARK", "fanotify-mark.img", 0x56506035, fanotify_mark_entry),
	[IMG_KIND_UNIXSK]        = ONE("UNIXSK", "unixsk.img", 0x54373943, unix_sk_entry),
	[IMG_KIND_INETSK]        = ONE("INETSK", "inetsk.img", 0x56443851, inet_sk_entry),
	[IMG_KIND_PACKETSK]      = ONE("PACKETSK", "packetsk.img", 0x60454618, packet_sock_entry),
	[IMG_KIND_NETLINKSK]     = ONE("NETLINK_SK", "netlinksk.img", 0x58005614, netlink_sk_entry),
	[IMG_KIND_SK_QUEUES]     = EXTRA("SK_QUEUES", "sk-queues.img", 0x56264026, sk_packet_entry, IMG_EXTRA_PACKET),
	[IMG_KIND_TCP_STREAM]    = {
		.name = "TCP_STREAM",
		.pattern = "tcp-stream-%x.img",
		.hex = true,
		.has_id = true,
		.first_magic = IMG_COMMON_MAGIC,
		.magic = 0x51465506,
		.record = &tcp_stream_entry__descriptor,
		.extra = IMG_EXTRA_TCP,
	},
	[IMG_KIND_TTY]           = ONE("TTY_FILES", "tty.img", 0x59433025, tty_file_entry),
	[IMG_KIND_TTY_INFO]      = ONE("TTY_INFO", "tty-info.img", 0x59453036, tty_info_entry),
	[IMG_KIND_TTY_DATA]      = ONE("TTY_DATA", "tty-data.img", 0x59413026, tty_data_entry),
	[IMG_KIND_TUNFILE]       = ONE("TUNFILE", "tunfile.img", 0x57143751, tunfile_entry),
	[IMG_KIND_MEMFD]         = ONE("MEMFD_INODE", "memfd.img", 0x48453499, memfd_inode_entry),
	[IMG_KIND_MQUEUE]        = {
		.name = "MQUEUE",
		.pattern = "mqueue.img",
		.first_magic = IMG_COMMON_MAGIC,
		.magic = 0x4d515545,
		.record = &mqueue_entry__descriptor,
		.ours = true,
	},
	[IMG_KIND_PIDFD]         = ONE("PIDFD", "pidfd.img", 0x54435556, pidfd_entry),
	[IMG_KIND_BPFMAP]        = ONE("BPFMAP_FILE", "bpfmap-file.img", 0x57506142, bpfmap_file_entry),
	[IMG_KIND_BPFMAP_DATA]   = EXTRA("BPFMAP_DATA", "bpfmap-data.img", 0x64324033, bpfmap_data_entry, IMG_EXTRA_BPF),
	[IMG_KIND_REMAP_FPATH]   = ONE("REMAP_FPATH", "remap-fpath.img", 0x59133954, remap_file_path_entry),
	[IMG_KIND_GHOST_FILE]    = {
		.name = "GHOST_FILE",
		.pattern = "ghost-file-%x.img",
		.hex = true,
		.has_id = true,
		.first_magic = IMG_COMMON_MAGIC,
		.magic = 0x52583605,
		.record = &ghost_file_entry__descriptor,
		.rest = &ghost_chunk_entry__descriptor,
		.extra = IMG_EXTRA_GHOST,
	},
	[IMG_KIND_FILELOCKS]     = ONE("FILE_LOCKS", "filelocks.img", 0x54323616, file_lock_entry),
	[IMG_KIND_APPARMOR]      = ONE("APPARMOR", "apparmor.img", 0x59423047, apparmor_entry),
	[IMG_KIND_STATS_DUMP]    = SERVICE("STATS", "stats-dump", 0x57093306, stats_entry),
	[IMG_KIND_STATS_RESTORE] = SERVICE("STATS", "stats-restore", 0x57093306, stats_entry),
	[IMG_KIND_IRMAP_CACHE]   = SERVICE("IRMAP_CACHE", "irmap-cache", 0x57004059, irmap_cache_entry),
};
/* clang-format on */

const struct img_kind_info *img_kind_info(enum img_kind kind)
{
	assert(kind < IMG_KIND_N);
	return &kinds[kind];
}

/* Splits "core-%u.img" at its conversion; the length of the part before it. */
static size_t head_len(const struct img_kind_info *info)
{
	return (size_t)(strchr(info->pattern, '%') - info->pattern);
}

void img_kind_file_name(enum img_kind kind, uint64_t id, char name[IMG_NAME_MAX])
{
	const struct img_kind_info *info = img_kind_info(kind);
	int head;
	const char *tail;

	if (!info->has_id) {
		(void)snprintf(name, IMG_NAME_MAX, "%s", info->pattern);
		return;
	}
	head = (int)head_len(info);
	tail = info->pattern + head + 2;
	if (info->hex)
		(void)snprintf(name, IMG_NAME_MAX, "%.*s%" PRIx64 "%s", head, info->pattern, id,
			       tail);
	else
		(void)snprintf(name, IMG_NAME_MAX, "%.*s%" PRIu64 "%s", head, info->pattern, id,
			       tail);
}

/* Canonical digits only: no sign, blanks or leading zeros, so that a name has one reading. */
static bool parse_id(const char *s, size_t n, bool hex, uint64_t *ret_id)
{
	uint64_t id = 0;
	unsigned int base = hex ? 16 : 10;

	if (n == 0 || (n > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned int digit;

		if (s[i] >= '0' && s[i] <= '9')
			digit = (unsigned int)(s[i] - '0');
		else if (hex && s[i] >= 'a' && s[i] <= 'f')
			digit = (unsigned int)(s[i] - 'a') + 10;
		else
			return false;
		if (__builtin_mul_overflow(id, base, &id) || __builtin_add_overflow(id, digit, &id))
			return false;
	}
	*ret_id = id;
	return true;
}

static bool name_matches(const struct img_kind_info *info, const char *name, uint64_t *ret_id)
{
	size_t len = strlen(name);
	size_t head;
	size_t tail;

	if (!info->has_id) {
		*ret_id = 0;
		return strcmp(name, info->pattern) == 0;
	}
	head = head_len(info);
	tail = strlen(info->pattern) - head - 2;
	if (len <= head + tail || strncmp(name, info->pattern, head) != 0 ||
	    strcmp(name + len - tail, info->pattern + head + 2) != 0)
		return false;
	return parse_id(name + head, len - head - tail, info->hex, ret_id);
}

bool img_kind_of_name(const char *name, enum img_kind *ret_kind, uint64_t *ret_id)
{
	for (unsigned int i = 0; i < IMG_KIND_N; i++) {
		uint64_t id;

		if (!name_matches(&kinds[i], name, &id))
			continue;
		*ret_kind = (enum img_kind)i;
		if (ret_id)
			*ret_id = id;
		return true;
	}
	return false;
}

bool img_kind_of_magic(uint32_t first, uint32_t second, enum img_kind *ret_kind)
{
	for (unsigned int i = 0; i < IMG_KIND_N; i++) {
		const struct img_kind_info *info = &kinds[i];

		if (!info->magic)
			continue;
		if (info->first_magic ? info->first_magic == first && info->magic == second
				      : info->magic == first) {
			*ret_kind = (enum img_kind)i;
			return true;
		}
	}
	return false;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	uint64_t rounded = (n + to - 1) / to * to;

	return rounded < n ? UINT64_MAX - 1 : rounded; /* more than any file has */
}

static uint64_t ghost_extra(size_t index, const ProtobufCMessage *record)
{
	const GhostFileEntry *ghost;

	if (index > 0)
		return ((const GhostChunkEntry *)record)->len;
	ghost = (const GhostFileEntry *)record;
	return ghost->has_chunks && ghost->chunks ? 0 : UINT64_MAX;
}

uint64_t img_kind_extra_size(enum img_kind kind, size_t index, const ProtobufCMessage *record)
{
	switch (img_kind_info(kind)->extra) {
	case IMG_EXTRA_NONE:
	case IMG_EXTRA_MESSAGES:
		return 0;
	case IMG_EXTRA_PIPE:
		return ((const PipeDataEntry *)record)->bytes;
	case IMG_EXTRA_PACKET:
		return ((const SkPacketEntry *)record)->length;
	case IMG_EXTRA_TCP: {
		const TcpStreamEntry *tcp = (const TcpStreamEntry *)record;

		return (uint64_t)tcp->inq_len + tcp->outq_len;
	}
	case IMG_EXTRA_SEM:
		return round_up(UINT64_C(2) * ((const IpcSemEntry *)record)->nsems, 8);
	case IMG_EXTRA_SHM: {
		const IpcShmEntry *shm = (const IpcShmEntry *)record;

		return shm->has_in_pagemaps && shm->in_pagemaps ? 0 : round_up(shm->size, 4);
	}
	case IMG_EXTRA_GHOST:
		return ghost_extra(index, record);
	case IMG_EXTRA_BPF: {
		const BpfmapDataEntry *bpf = (const BpfmapDataEntry *)record;

		return (uint64_t)bpf->keys_bytes + bpf->values_bytes;
	}
	}
	return 0;
}
