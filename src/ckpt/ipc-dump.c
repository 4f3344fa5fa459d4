/*
 * ipc-dump: the settings of an IPC namespace; sysv-dump.c has what is in it.
 */
#include "ckpt/ipc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "ckpt/dump-priv.h"
#include "ckpt/mqueues.h"
#include "ckpt/settings.h"
#include "ckpt/sysv.h"
#include "img/pb/ipc-var.pb-c.h"

#define TEXT_MAX 256

struct reading {
	const struct dump *dump;
	uint32_t ns_id;
};

int ipc_open_ahead(struct dump *dump, uint32_t ns_id, struct error *err)
{
	static const char *const names[] = {
		"kernel/msgmax",	 "kernel/msgmnb",
		"kernel/msgmni",	 "kernel/auto_msgmni",
		"kernel/shmmni",	 "kernel/shm_rmid_forced",
		"fs/mqueue/queues_max",	 "fs/mqueue/msg_max",
		"fs/mqueue/msgsize_max", "kernel/sem",
		"kernel/shmmax",	 "kernel/shmall",
		"fs/mqueue/msg_default", "fs/mqueue/msgsize_default",
		"kernel/msg_next_id",	 "kernel/sem_next_id",
		"kernel/shm_next_id",
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		r = setting_open_ahead(dump, ns_id, path, err);
	}
	return r;
}

/* Up to `n` numbers; false: this kernel has no such setting. */
static bool read_sysctl(const struct reading *from, const char *name, uint64_t *values, size_t n)
{
	char text[TEXT_MAX];
	char path[64];
	char *p = text;
	char *end;

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", name); /* names are short */
	if (setting_read(from->dump, from->ns_id, path, text, sizeof(text), NULL) <= 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		values[i] = strtoull(p, &end, 10);
		if (end == p)
			return false;
		p = end;
	}
	return true;
}

static bool read_u32(const struct reading *from, const char *name, uint32_t *ret)
{
	uint64_t value;

	if (!read_sysctl(from, name, &value, 1))
		return false;
	*ret = (uint32_t)value;
	return true;
}

static int write_settings(struct dump *dump, uint32_t id, struct error *err)
{
	const struct reading from = { .dump = dump, .ns_id = id };
	IpcVarEntry entry = IPC_VAR_ENTRY__INIT;
	uint64_t sem[4] = { 0 };
	uint32_t sem_words[4];
	const struct {
		const char *name;
		uint32_t *value;
	} required[] = {
		{ "kernel/msgmax", &entry.msg_ctlmax },
		{ "kernel/msgmnb", &entry.msg_ctlmnb },
		{ "kernel/msgmni", &entry.msg_ctlmni },
		{ "kernel/auto_msgmni", &entry.auto_msgmni },
		{ "kernel/shmmni", &entry.shm_ctlmni },
		{ "kernel/shm_rmid_forced", &entry.shm_rmid_forced },
		{ "fs/mqueue/queues_max", &entry.mq_queues_max },
		{ "fs/mqueue/msg_max", &entry.mq_msg_max },
		{ "fs/mqueue/msgsize_max", &entry.mq_msgsize_max },
	};

	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (!read_u32(&from, required[i].name, required[i].value))
			return err_set(err, -EOPNOTSUPP, "ipc namespace: no setting '%s'",
				       required[i].name);
	}
	if (!read_sysctl(&from, "kernel/sem", sem, ARRAY_SIZE(sem)) ||
	    !read_sysctl(&from, "kernel/shmmax", &entry.shm_ctlmax, 1) ||
	    !read_sysctl(&from, "kernel/shmall", &entry.shm_ctlall, 1))
		return err_set(err, -EOPNOTSUPP,
			       "ipc namespace: no setting 'kernel/sem', "
			       "'kernel/shmmax' or 'kernel/shmall'");
	for (size_t i = 0; i < ARRAY_SIZE(sem); i++)
		sem_words[i] = (uint32_t)sem[i];
	entry.sem_ctls = sem_words;
	entry.n_sem_ctls = ARRAY_SIZE(sem_words);
	entry.has_mq_msg_default = read_u32(&from, "fs/mqueue/msg_default", &entry.mq_msg_default);
	entry.has_mq_msgsize_default =
		read_u32(&from, "fs/mqueue/msgsize_default", &entry.mq_msgsize_default);
	/* The kernel's -1, "no wish", can't be written back. */
	entry.has_msg_next_id = read_u32(&from, "kernel/msg_next_id", &entry.msg_next_id) &&
				entry.msg_next_id != UINT32_MAX;
	entry.has_sem_next_id = read_u32(&from, "kernel/sem_next_id", &entry.sem_next_id) &&
				entry.sem_next_id != UINT32_MAX;
	entry.has_shm_next_id = read_u32(&from, "kernel/shm_next_id", &entry.shm_next_id) &&
				entry.shm_next_id != UINT32_MAX;
	return dump_image_one(dump, IMG_KIND_IPC_VAR, id, &entry.base, err);
}

int ipc_write(struct dump *dump, uint32_t id, struct error *err)
{
	int r = write_settings(dump, id, err);

	if (r == 0)
		r = sysv_write(dump, id, err);
	if (r == 0)
		r = sysv_note_sets(dump, id, err);
	return r < 0 ? r : mqueue_collect(dump, id, err);
}
