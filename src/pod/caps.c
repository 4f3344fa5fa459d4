#include "pod/caps.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "base/cap-names.h"
#include "base/cleanup.h"
#include "base/err.h"

static const char *const default_caps[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",	 "CAP_FSETID",
	"CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",	 "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID",	       "CAP_SYS_CHROOT",
};

static uint64_t bit(int number)
{
	return UINT64_C(1) << number;
}

/* What a process of ours can have at most. */
static uint64_t own_bounds(void)
{
	uint64_t mask = 0;

	for (int i = 0; cap_name(i); i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			mask |= bit(i);
	return mask;
}

/* With or without its prefix. */
static int find_cap(const char *word, uint64_t *ret)
{
	char name[64];
	int number;

	(void)snprintf(name, sizeof(name), "%s%s", strncasecmp(word, "CAP_", 4) == 0 ? "" : "CAP_",
		       word); /* what is cut is none, either */
	number = cap_number(name);
	if (number < 0)
		return -EINVAL;
	*ret = bit(number);
	return 0;
}

/* "all" is all we have: more than that could not be given. */
static int read_words(const struct strv *words, uint64_t all, uint64_t *ret, struct error *err)
{
	uint64_t one = 0;

	for (size_t i = 0; i < words->n; i++) {
		const char *word = words->items[i];

		if (strcasecmp(word, "all") == 0)
			*ret |= all;
		else if (find_cap(word, &one) == 0)
			*ret |= one;
		else
			return err_set(err, -EINVAL,
				       "\"%s\" is not a valid capability: unknown capability",
				       word);
	}
	return 0;
}

int caps_choose(const struct strv *add, const struct strv *drop, bool privileged, struct strv *ret,
		struct error *err)
{
	uint64_t bounds = own_bounds();
	uint64_t mask = 0;
	uint64_t added = 0;
	uint64_t dropped = 0;
	uint64_t one = 0;
	int r = read_words(add, bounds, &added, err);

	if (r == 0)
		r = read_words(drop, UINT64_MAX, &dropped, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(default_caps); i++)
		if (find_cap(default_caps[i], &one) == 0)
			mask |= one & bounds;
	if (privileged)
		mask = bounds;
	/* --cap-drop=all --cap-add=X gives X alone; a named drop wins over --cap-add=all. */
	mask = dropped == UINT64_MAX ? added : (mask | added) & ~dropped;
	for (int i = 0; cap_name(i); i++)
		if (mask & bit(i))
			strv_add(ret, cap_name(i));
	return strv_ok(ret) ? 0 : err_oom(err);
}
