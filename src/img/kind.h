/*
 * kind: every sort of image file CRIU knows, and one of our own, as one const table.
 *
 * A kind says how the file is called ("core-%u.img"), which magic words it
 * opens with, which protobuf message its records are, and what raw bytes
 * follow a record. Names, magics and messages are CRIU 4.2's.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMG_COMMON_MAGIC 0x54564319u  /* first word of all files but inventory and raw ones */
#define IMG_SERVICE_MAGIC 0x55105940u /* first word of stats and irmap-cache */

#define IMG_NAME_MAX 64 /* room for the name of any image file */

enum img_kind {
	IMG_KIND_INVENTORY,
	IMG_KIND_PSTREE,
	IMG_KIND_CORE,
	IMG_KIND_IDS,
	IMG_KIND_MM,
	IMG_KIND_PAGEMAP,
	IMG_KIND_PAGEMAP_SHMEM,
	IMG_KIND_PAGES,
	IMG_KIND_FDINFO,
	IMG_KIND_FILES,
	IMG_KIND_FS,
	IMG_KIND_CREDS,
	IMG_KIND_RLIMIT,
	IMG_KIND_ITIMERS,
	IMG_KIND_POSIX_TIMERS,
	IMG_KIND_SIGACT,
	IMG_KIND_VMAS,
	IMG_KIND_SECCOMP,
	IMG_KIND_CGROUP,
	IMG_KIND_CPUINFO,
	IMG_KIND_TIMENS,
	IMG_KIND_PIDNS,
	IMG_KIND_USERNS,
	IMG_KIND_UTSNS,
	IMG_KIND_IPC_VAR,
	IMG_KIND_IPC_SHM,
	IMG_KIND_IPC_MSG,
	IMG_KIND_IPC_SEM,
	IMG_KIND_MNTS,
	IMG_KIND_NETDEV,
	IMG_KIND_NETNS,
	IMG_KIND_IFADDR,
	IMG_KIND_ROUTE,
	IMG_KIND_ROUTE6,
	IMG_KIND_RULE,
	IMG_KIND_IPTABLES,
	IMG_KIND_IP6TABLES,
	IMG_KIND_NFTABLES,
	IMG_KIND_NETNS_CT,
	IMG_KIND_NETNS_EXP,
	IMG_KIND_TMPFS,
	IMG_KIND_TMPFS_DEV,
	IMG_KIND_AUTOFS,
	IMG_KIND_BINFMT_MISC,
	IMG_KIND_REG_FILES,
	IMG_KIND_EXT_FILES,
	IMG_KIND_NS_FILES,
	IMG_KIND_PIPES,
	IMG_KIND_PIPES_DATA,
	IMG_KIND_FIFO,
	IMG_KIND_FIFO_DATA,
	IMG_KIND_EVENTFD,
	IMG_KIND_EVENTPOLL,
	IMG_KIND_EVENTPOLL_TFD,
	IMG_KIND_SIGNALFD,
	IMG_KIND_TIMERFD,
	IMG_KIND_INOTIFY,
	IMG_KIND_INOTIFY_WD,
	IMG_KIND_FANOTIFY,
	IMG_KIND_FANOTIFY_MARK,
	IMG_KIND_UNIXSK,
	IMG_KIND_INETSK,
	IMG_KIND_PACKETSK,
	IMG_KIND_NETLINKSK,
	IMG_KIND_SK_QUEUES,
	IMG_KIND_TCP_STREAM,
	IMG_KIND_TTY,
	IMG_KIND_TTY_INFO,
	IMG_KIND_TTY_DATA,
	IMG_KIND_TUNFILE,
	IMG_KIND_MEMFD,
	IMG_KIND_MQUEUE,
	IMG_KIND_PIDFD,
	IMG_KIND_BPFMAP,
	IMG_KIND_BPFMAP_DATA,
	IMG_KIND_REMAP_FPATH,
	IMG_KIND_GHOST_FILE,
	IMG_KIND_FILELOCKS,
	IMG_KIND_APPARMOR,
	IMG_KIND_STATS_DUMP,
	IMG_KIND_STATS_RESTORE,
	IMG_KIND_IRMAP_CACHE,
	IMG_KIND_N,
};

/* What raw bytes stand behind a record before the next one begins. */
enum img_extra {
	IMG_EXTRA_NONE,
	IMG_EXTRA_PIPE,	    /* pipe_data_entry.bytes */
	IMG_EXTRA_PACKET,   /* sk_packet_entry.length */
	IMG_EXTRA_TCP,	    /* inq_len, then outq_len */
	IMG_EXTRA_SEM,	    /* 2 * nsems, padded to 8 */
	IMG_EXTRA_MESSAGES, /* qnum times: a record (ipc_msg), msize bytes padded to 8 */
	IMG_EXTRA_SHM,	    /* size padded to 4; nothing if in_pagemaps */
	IMG_EXTRA_GHOST,    /* first record: the rest of the file, nothing if chunks; later: len */
	IMG_EXTRA_BPF,	    /* keys_bytes, then values_bytes */
};

struct img_kind_info {
	const char *name;     /* as crit prints it: "CORE"; NULL: raw bytes, no records */
	const char *pattern;  /* "core-%u.img"; one conversion or none */
	bool hex;	      /* the id in the name is hexadecimal */
	bool has_id;	      /* the name carries one */
	uint32_t first_magic; /* 0: absent */
	uint32_t magic;	      /* 0: raw file, not even this word is there */
	const ProtobufCMessageDescriptor *record;
	const ProtobufCMessageDescriptor *rest; /* of all records after the first; NULL: the same */
	enum img_extra extra;
	bool ours; /* CRIU has no such file */
};

/* Never NULL for a valid kind. */
const struct img_kind_info *img_kind_info(enum img_kind kind);

/* "core-%u.img" and 7 -> "core-7.img"; `id` is ignored where the name has none. */
void img_kind_file_name(enum img_kind kind, uint64_t id, char name[IMG_NAME_MAX]);

/* The reverse; false when no kind is called like that. `ret_id` may be NULL. */
bool img_kind_of_name(const char *name, enum img_kind *ret_kind, uint64_t *ret_id);

/* The kind whose files open with these words; false when there is none. */
bool img_kind_of_magic(uint32_t first, uint32_t second, enum img_kind *ret_kind);

/*
 * How many raw bytes follow this record (its `index` in the file counts from
 * 0). UINT64_MAX: all to the end of the file. For IMG_EXTRA_MESSAGES 0, as
 * those are framed themselves.
 */
uint64_t img_kind_extra_size(enum img_kind kind, size_t index, const ProtobufCMessage *record);
