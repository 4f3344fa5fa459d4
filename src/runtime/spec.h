/*
 * spec: an OCI config.json, checked and laid out.
 *
 * All strings belong to the document, all arrays to the arena; both live as
 * long as the spec. What the kernel must answer (does the path exist, is the
 * namespace there) is not asked here: parsing touches no system.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/json.h"
#include "runtime/mount-options.h"

struct error;

#define SPEC_SIZE_MAX ((size_t)16 << 20)
#define SPEC_UNSET UINT32_MAX /* an id, mode or mask that was not given */

struct spec_capabilities {
	bool given;
	uint64_t bounding;
	uint64_t effective;
	uint64_t inheritable;
	uint64_t permitted;
	uint64_t ambient;
};

struct spec_rlimit {
	int resource; /* RLIMIT_... */
	const char *name;
	uint64_t soft;
	uint64_t hard;
};

struct spec_process {
	bool terminal;
	unsigned int console_rows;
	unsigned int console_cols;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t n_groups;
	uint32_t umask;
	const char *username; /* not resolved; Windows only in the standard */
	char **args;
	char **env;
	const char *cwd;
	struct spec_capabilities caps;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	bool has_oom_score_adj;
	int oom_score_adj;
	bool has_io_priority;
	int io_priority;  /* as ioprio_set(2) takes it */
	int sched_policy; /* -1: unchanged */
	int sched_priority;
	int sched_nice;
	uint64_t sched_flags;
};

struct spec_mount {
	const char *destination;
	const char *type; /* "bind" for binds, whatever the document says */
	const char *source;
	struct mount_options options;
};

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS,
};

struct spec_hook {
	const char *path;
	char **args;
	char **env;
	unsigned int timeout_s; /* 0: none */
};

struct spec_hooks {
	struct spec_hook *items;
	size_t n;
};

enum ns_kind {
	NS_KIND_USER,
	NS_KIND_MOUNT,
	NS_KIND_PID,
	NS_KIND_NET,
	NS_KIND_IPC,
	NS_KIND_UTS,
	NS_KIND_CGROUP,
	NS_KIND_TIME,
	NS_KINDS,
};

struct spec_namespace {
	bool wanted;
	const char *path; /* NULL: a new one */
};

struct spec_id_map {
	uint32_t inside;
	uint32_t outside;
	uint32_t size;
};

struct spec_id_maps {
	struct spec_id_map *items;
	size_t n;
};

struct spec_device {
	char type; /* 'c', 'b', 'u', 'p' */
	const char *path;
	unsigned int major;
	unsigned int minor;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* Quantities that may be absent carry a flag in `has`. */
enum resource {
	RES_MEMORY_LIMIT,
	RES_MEMORY_RESERVATION,
	RES_MEMORY_SWAP,
	RES_MEMORY_KERNEL_TCP,
	RES_MEMORY_SWAPPINESS,
	RES_CPU_SHARES,
	RES_CPU_QUOTA,
	RES_CPU_PERIOD,
	RES_CPU_BURST,
	RES_CPU_RT_RUNTIME,
	RES_CPU_RT_PERIOD,
	RES_CPU_IDLE,
	RES_PIDS_LIMIT,
	RES_BLKIO_WEIGHT,
	RES_BLKIO_LEAF_WEIGHT,
	RES_NET_CLASS,
	RES_COUNT,
};

struct spec_device_rule {
	bool allow;
	char type;	     /* 'a', 'b', 'c' */
	int64_t major;	     /* -1: any */
	int64_t minor;	     /* -1: any */
	unsigned int access; /* DEVICE_ACCESS_... */
};

#define DEVICE_ACCESS_MKNOD 1U
#define DEVICE_ACCESS_READ 2U
#define DEVICE_ACCESS_WRITE 4U

struct spec_blkio_throttle {
	const char *file; /* of v1: "blkio.throttle.read_bps_device" */
	const char *v2;	  /* key of io.max: "rbps"; NULL: a weight */
	int64_t major;
	int64_t minor;
	uint64_t value;
};

struct spec_named_limit { /* hugetlb: page size and bytes; net_prio: interface and priority */
	const char *name;
	uint64_t value;
};

struct spec_resources {
	uint32_t has; /* 1 << enum resource */
	int64_t value[RES_COUNT];
	bool oom_kill_disable;
	bool check_before_update;
	const char *cpuset_cpus;
	const char *cpuset_mems;
	struct spec_device_rule *devices;
	size_t n_devices;
	struct spec_blkio_throttle *throttles;
	size_t n_throttles;
	struct spec_named_limit *hugetlb;
	size_t n_hugetlb;
	struct spec_named_limit *net_priorities;
	size_t n_net_priorities;
	json_t *unified; /* object of strings, or NULL */
};

struct spec_linux {
	struct spec_namespace namespaces[NS_KINDS];
	struct spec_id_maps uid_maps;
	struct spec_id_maps gid_maps;
	struct spec_device *devices;
	size_t n_devices;
	const char *cgroups_path;
	struct spec_resources resources;
	unsigned long rootfs_propagation; /* MS_..., 0: not given */
	json_t *seccomp;		  /* NULL: none */
	char **masked_paths;
	char **readonly_paths;
	json_t *sysctl; /* object of strings, or NULL */
	json_t *time_offsets;
	bool has_personality;
	unsigned long personality;
};

struct spec {
	json_t *json;
	struct arena arena;
	const char *oci_version;
	const char *root_path;
	bool root_readonly;
	const char *hostname;
	const char *domainname;
	struct spec_mount *mounts;
	size_t n_mounts;
	struct spec_process *process; /* NULL: not given */
	struct spec_hooks hooks[HOOK_KINDS];
	json_t *annotations;
	struct spec_linux lx;
};

#define SPEC_INIT                                                                                  \
	{                                                                                          \
		.json = NULL                                                                       \
	}

/* Reads, parses and checks config.json in that folder. */
int spec_load_at(int dirfd, const char *name, struct spec *ret, struct error *err);

/* Takes over `json` whatever happens. */
int spec_from_json_consume(json_t *json, struct spec *ret, struct error *err);
void spec_done(struct spec *spec);

static inline bool spec_has(const struct spec_resources *res, enum resource which)
{
	return res->has & (1U << which);
}

/* Does the container get a namespace of that kind, new or by path? */
static inline bool spec_wants_ns(const struct spec *spec, enum ns_kind kind)
{
	return spec->lx.namespaces[kind].wanted;
}

static inline bool spec_new_ns(const struct spec *spec, enum ns_kind kind)
{
	return spec->lx.namespaces[kind].wanted && !spec->lx.namespaces[kind].path;
}

/* Parts, for process.json and resources.json. Strings stay the document's. */
int spec_parse_process(const json_t *json, const char *place, struct arena *arena,
		       struct spec_process *ret, struct error *err);
int spec_parse_resources(const json_t *json, const char *place, struct arena *arena,
			 struct spec_resources *ret, struct error *err);

#define cleanup_spec __attribute__((cleanup(spec_done)))
