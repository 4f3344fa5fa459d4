#include "ckpt/external.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

static const char *const kinds[] = { "mnt",  "net", "pid",  "uts",  "ipc",    "file",	"tty",
				     "unix", "dev", "pipe", "veth", "netdev", "macvlan" };

static bool known_kind(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i], kind))
			return true;
	}
	return false;
}

static int parse_word(const char *word, struct arena *arena, struct external *ret,
		      struct error *err)
{
	const char *open = strchr(word, '[');
	const char *close = strchr(word, ']');

	if (!open || !close || close < open || (close[1] && close[1] != ':'))
		return err_set(err, -EINVAL, "external '%s': not of the form KIND[NAME]:VALUE",
			       word);
	ret->word = word;
	ret->kind = arena_strndup(arena, word, (size_t)(open - word));
	ret->name = arena_strndup(arena, open + 1, (size_t)(close - open - 1));
	ret->value = close[1] ? close + 2 : NULL;
	if (!arena_ok(arena))
		return err_oom(err);
	if (!known_kind(ret->kind))
		return err_set(err, -EINVAL, "external '%s': unknown kind '%s'", word, ret->kind);
	if (!ret->name[0] && strcmp(ret->kind, "mnt") != 0)
		return err_set(err, -EOPNOTSUPP,
			       "external '%s': finding them automatically is not supported by this "
			       "version; name each one",
			       word);
	return 0;
}

int externals_parse(char *const *words, struct arena *arena, struct externals *ret,
		    struct error *err)
{
	struct externals externals = { .items = NULL };
	size_t n = 0;
	int r;

	while (words && words[n])
		n++;
	externals.items = arena_new_array(arena, struct external, n + 1);
	if (!externals.items)
		return err_oom(err);
	for (; externals.n < n; externals.n++) {
		r = parse_word(words[externals.n], arena, &externals.items[externals.n], err);
		if (r < 0)
			return r;
	}
	*ret = externals;
	return 0;
}

const struct external *externals_find(const struct externals *externals, const char *kind,
				      const char *name)
{
	for (size_t i = 0; i < externals->n; i++) {
		if (!strcmp(externals->items[i].kind, kind) &&
		    !strcmp(externals->items[i].name, name))
			return &externals->items[i];
	}
	return NULL;
}
