/*
 * create-table: the options that create and run share.
 *
 * Rows for a struct whose member `create` is a struct create_options.
 */
#pragma once

#include "pod/create.h"

#define CREATE_OPTIONS(type)                                                                       \
	OPT_LIST(0, "add-host", type, create.add_hosts, "NAME:ADDRESS", "a line of /etc/hosts"),   \
		OPT_LIST(0, "cap-add", type, create.cap_add, "CAP", "give a capability"),          \
		OPT_LIST(0, "cap-drop", type, create.cap_drop, "CAP", "take a capability away"),   \
		OPT_STRING(0, "cgroupns", type, create.cgroupns, "host|private",                   \
			   "cgroup namespace"),                                                    \
		OPT_STRING(0, "cidfile", type, create.cidfile, "FILE",                             \
			   "write the container's id there"),                                      \
		OPT_STRING(0, "cpus", type, create.cpus, "N", "processors it may use: 0.5, 2"),    \
		OPT_STRING(0, "entrypoint", type, create.entrypoint, "WORD|JSON",                  \
			   "in place of the image's ENTRYPOINT"),                                  \
		OPT_LIST('e', "env", type, create.env, "NAME[=VALUE]", "set a variable"),          \
		OPT_LIST(0, "env-file", type, create.env_files, "FILE", "variables, one a line"),  \
		OPT_STRING('h', "hostname", type, create.hostname, "NAME", "its host name"),       \
		OPT_FLAG('i', "interactive", type, create.interactive,                             \
			 "keep standard input open"),                                              \
		OPT_STRING(0, "ipc", type, create.ipc, "private|host", "IPC namespace"),           \
		OPT_LIST('l', "label", type, create.labels, "KEY=VALUE", "a label"),               \
		OPT_STRING(0, "log-driver", type, create.log_driver, "k8s-file",                   \
			   "how its output is kept"),                                              \
		OPT_STRING('m', "memory", type, create.memory, "BYTES[kmg]", "memory it may use"), \
		OPT_LIST(0, "mount", type, create.mounts, "type=TYPE,dst=PATH,...", "a mount"),    \
		OPT_STRING(0, "name", type, create.name, "NAME", "give it a name"),                \
		OPT_STRING(0, "net", type, create.network, "none|host", NULL),                     \
		OPT_STRING(0, "network", type, create.network, "none|host", "network (none)"),     \
		OPT_STRING(0, "pid", type, create.pid, "private|host", "PID namespace"),           \
		OPT_STRING(0, "pids-limit", type, create.pids_limit, "N",                          \
			   "tasks it may have (2048)"),                                            \
		OPT_FLAG(0, "privileged", type, create.privileged,                                 \
			 "all capabilities and devices, nothing masked"),                          \
		OPT_STRING(0, "pull", type, create.pull, "always|missing|never|newer",             \
			   "when to pull the image (missing)"),                                    \
		OPT_FLAG(0, "read-only", type, create.read_only, "the root can't be written"),     \
		OPT_FLAG(0, "replace", type, create.replace, "remove the one that has the name"),  \
		OPT_FLAG(0, "rm", type, create.rm, "remove it when it has ended"),                 \
		OPT_LIST(0, "security-opt", type, create.security_opts, "OPTION",                  \
			 "seccomp=unconfined|FILE, no-new-privileges"),                            \
		OPT_STRING(0, "shm-size", type, create.shm_size, "BYTES[kmg]",                     \
			   "size of /dev/shm"),                                                    \
		OPT_STRING(0, "stop-signal", type, create.stop_signal, "SIGNAL",                   \
			   "what stop sends (TERM)"),                                              \
		OPT_STRING(0, "stop-timeout", type, create.stop_timeout, "SECONDS",                \
			   "how long stop waits before SIGKILL (10)"),                             \
		OPT_LIST(0, "tmpfs", type, create.tmpfs, "PATH[:OPTIONS]",                         \
			 "memory mounted there"),                                                  \
		OPT_FLAG('t', "tty", type, create.terminal, "give it a terminal"),                 \
		OPT_LIST(0, "ulimit", type, create.ulimits, "NAME=SOFT[:HARD]",                    \
			 "a resource limit"),                                                      \
		OPT_STRING('u', "user", type, create.user, "NAME|UID[:GROUP|GID]", "who runs it"), \
		OPT_STRING(0, "uts", type, create.uts, "private|host", "UTS namespace"),           \
		OPT_LIST('v', "volume", type, create.volumes, "[FROM:]TO[:OPTIONS]",               \
			 "a folder or named volume mounted at TO"),                                \
		OPT_STRING('w', "workdir", type, create.workdir, "PATH", "working directory")
