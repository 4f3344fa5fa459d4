#include "runtime/mount-options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

static const struct {
	const char *word;
	bool clear;
	unsigned long flag;
} flag_words[] = {
	{ "ro", false, MS_RDONLY },
	{ "rw", true, MS_RDONLY },
	{ "nosuid", false, MS_NOSUID },
	{ "suid", true, MS_NOSUID },
	{ "nodev", false, MS_NODEV },
	{ "dev", true, MS_NODEV },
	{ "noexec", false, MS_NOEXEC },
	{ "exec", true, MS_NOEXEC },
	{ "sync", false, MS_SYNCHRONOUS },
	{ "async", true, MS_SYNCHRONOUS },
	{ "dirsync", false, MS_DIRSYNC },
	{ "mand", false, MS_MANDLOCK },
	{ "nomand", true, MS_MANDLOCK },
	{ "atime", true, MS_NOATIME },
	{ "noatime", false, MS_NOATIME },
	{ "diratime", true, MS_NODIRATIME },
	{ "nodiratime", false, MS_NODIRATIME },
	{ "relatime", false, MS_RELATIME },
	{ "norelatime", true, MS_RELATIME },
	{ "strictatime", false, MS_STRICTATIME },
	{ "nostrictatime", true, MS_STRICTATIME },
	{ "iversion", false, MS_I_VERSION },
	{ "noiversion", true, MS_I_VERSION },
	{ "silent", false, MS_SILENT },
	{ "loud", true, MS_SILENT },
	{ "nosymfollow", false, MS_NOSYMFOLLOW },
	{ "symfollow", true, MS_NOSYMFOLLOW },
};

static const struct {
	const char *word;
	unsigned long flag;
} propagation_words[] = {
	{ "private", MS_PRIVATE },	 { "rprivate", MS_PRIVATE | MS_REC },
	{ "shared", MS_SHARED },	 { "rshared", MS_SHARED | MS_REC },
	{ "slave", MS_SLAVE },		 { "rslave", MS_SLAVE | MS_REC },
	{ "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
};

/* Set for the mount and all below it, by mount_setattr(2). */
static const struct {
	const char *word;
	bool clear;
	uint64_t attr;
} recursive_words[] = {
	{ "rro", false, MOUNT_ATTR_RDONLY },
	{ "rrw", true, MOUNT_ATTR_RDONLY },
	{ "rnosuid", false, MOUNT_ATTR_NOSUID },
	{ "rsuid", true, MOUNT_ATTR_NOSUID },
	{ "rnodev", false, MOUNT_ATTR_NODEV },
	{ "rdev", true, MOUNT_ATTR_NODEV },
	{ "rnoexec", false, MOUNT_ATTR_NOEXEC },
	{ "rexec", true, MOUNT_ATTR_NOEXEC },
	{ "rnodiratime", false, MOUNT_ATTR_NODIRATIME },
	{ "rdiratime", true, MOUNT_ATTR_NODIRATIME },
	{ "rrelatime", false, MOUNT_ATTR_RELATIME },
	{ "rnoatime", false, MOUNT_ATTR_NOATIME },
	{ "rstrictatime", false, MOUNT_ATTR_STRICTATIME },
	{ "rnosymfollow", false, MOUNT_ATTR_NOSYMFOLLOW },
	{ "rsymfollow", true, MOUNT_ATTR_NOSYMFOLLOW },
};

static bool take_flag(struct mount_options *o, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++) {
		if (strcmp(word, flag_words[i].word) != 0)
			continue;
		if (flag_words[i].clear) {
			o->flags &= ~flag_words[i].flag;
			o->cleared |= flag_words[i].flag;
		} else {
			o->flags |= flag_words[i].flag;
			o->cleared &= ~flag_words[i].flag;
		}
		return true;
	}
	return false;
}

static bool take_propagation(struct mount_options *o, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(propagation_words); i++)
		if (strcmp(word, propagation_words[i].word) == 0) {
			o->propagation = propagation_words[i].flag;
			return true;
		}
	return false;
}

static bool take_recursive(struct mount_options *o, const char *word)
{
	const uint64_t times = MOUNT_ATTR__ATIME;

	for (size_t i = 0; i < ARRAY_SIZE(recursive_words); i++) {
		uint64_t attr = recursive_words[i].attr;

		if (strcmp(word, recursive_words[i].word) != 0)
			continue;
		/* The kinds of atime are one field: setting one needs the field in the clear mask.
		 */
		if (attr == MOUNT_ATTR_RELATIME || (attr & times)) {
			o->attr_clear |= times;
			o->attr_set = (o->attr_set & ~times) | attr;
		} else if (recursive_words[i].clear) {
			o->attr_clear |= attr;
			o->attr_set &= ~attr;
		} else {
			o->attr_set |= attr;
			o->attr_clear &= ~attr;
		}
		return true;
	}
	return false;
}

static bool take_mode(struct mount_options *o, const char *word)
{
	if (strcmp(word, "bind") == 0) {
		o->bind = true;
	} else if (strcmp(word, "rbind") == 0) {
		o->bind = true;
		o->recursive_bind = true;
	} else if (strcmp(word, "remount") == 0) {
		o->remount = true;
	} else if (strcmp(word, "tmpcopyup") == 0) {
		o->copy_up = true;
	} else if (strcmp(word, "idmap") == 0 || strcmp(word, "ridmap") == 0) {
		o->id_mapped = true;
	} else if (strcmp(word, "defaults") != 0 && strcmp(word, "copy") != 0) {
		return false;
	}
	return true;
}

int mount_options_parse(char *const *words, struct arena *arena, struct mount_options *ret,
			struct error *err)
{
	struct mount_options o = { .data = NULL };
	cleanup_buf struct buf data = BUF_INIT;

	for (; words && *words; words++) {
		if (take_flag(&o, *words) || take_propagation(&o, *words) ||
		    take_recursive(&o, *words) || take_mode(&o, *words))
			continue;
		if (data.len > 0)
			buf_adds(&data, ",");
		buf_adds(&data, *words);
	}
	if (!buf_ok(&data))
		return err_oom(err);
	if (data.len > 0) {
		o.data = arena_strdup(arena, buf_str(&data));
		if (!o.data)
			return err_oom(err);
	}
	*ret = o;
	return 0;
}

const char *mount_options_word(size_t i)
{
	static const char *const modes[] = { "bind", "rbind", "remount", "tmpcopyup", "defaults" };

	if (i < ARRAY_SIZE(modes))
		return modes[i];
	i -= ARRAY_SIZE(modes);
	if (i < ARRAY_SIZE(flag_words))
		return flag_words[i].word;
	i -= ARRAY_SIZE(flag_words);
	if (i < ARRAY_SIZE(propagation_words))
		return propagation_words[i].word;
	i -= ARRAY_SIZE(propagation_words);
	return i < ARRAY_SIZE(recursive_words) ? recursive_words[i].word : NULL;
}
