#include "store/name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "store/digest.h"
#include "store/registries.h"

#define NAME_LEN_MAX 255
#define TAG_LEN_MAX 128

static bool is_lower(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Lower-case letters and digits, with single separators between them: "a-b", "a__b", "a.b". */
static bool path_part_is_valid(const char *part, size_t len)
{
	size_t i = 0;

	while (i < len && is_lower(part[i])) {
		while (i < len && is_lower(part[i]))
			i++;
		if (i == len)
			return true;
		if (part[i] == '.') {
			i++;
		} else if (part[i] == '_') {
			i++;
			if (i < len && part[i] == '_')
				i++;
		} else {
			while (i < len && part[i] == '-')
				i++;
		}
	}
	return false;
}

/* "host", "host.name:5000", "[::1]:5000" */
static bool domain_is_valid(const char *domain, size_t len)
{
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_word(domain[i]) && !strchr(".-:[]", domain[i]))
			return false;
	return true;
}

static bool is_domain(const char *part, size_t len)
{
	if (len == 9 && memcmp(part, "localhost", 9) == 0)
		return true;
	return memchr(part, '.', len) || memchr(part, ':', len) || part[0] == '[';
}

static bool tag_is_valid(const char *tag)
{
	size_t len = strlen(tag);

	if (len == 0 || len > TAG_LEN_MAX || !is_word(tag[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_word(tag[i]) && tag[i] != '.' && tag[i] != '-')
			return false;
	return true;
}

static bool path_is_valid(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!path_part_is_valid(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

static int invalid(const char *text, struct error *err)
{
	for (const char *p = text; *p && *p != ':' && *p != '@'; p++)
		if (*p >= 'A' && *p <= 'Z' &&
		    strspn(text, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789._-/:@") == strlen(text))
			return err_set(err, -EINVAL, "repository name must be lowercase: '%.300s'",
				       text);
	return err_set(err, -EINVAL, "invalid reference format: '%.300s'", text);
}

/* Repository without tag and digest; Docker Hub's spellings become one. */
static int take_repository(const char *text, size_t len, struct name *name, struct error *err)
{
	const char *slash = memchr(text, '/', len);
	size_t first = slash ? (size_t)(slash - text) : len;
	const char *domain = text;
	const char *path = text;

	name->has_domain = slash && is_domain(text, first);
	if (name->has_domain) {
		path = slash + 1;
		if (!domain_is_valid(domain, first))
			return -EINVAL;
	}
	if (name->has_domain && first == 15 && memcmp(domain, "index.docker.io", 15) == 0) {
		domain = "docker.io";
		first = 9;
	}
	len -= (size_t)(path - text);
	if (!name->has_domain) {
		name->repository = strndup(path, len);
	} else if (asprintf(&name->repository, "%.*s/%s%.*s", (int)first, domain,
			    first == 9 && memcmp(domain, "docker.io", 9) == 0 &&
					    !memchr(path, '/', len)
				    ? "library/"
				    : "",
			    (int)len, path) < 0) {
		name->repository = NULL;
	}
	if (!name->repository)
		return err_oom(err);
	path = name->has_domain ? strchr(name->repository, '/') + 1 : name->repository;
	return path_is_valid(path) ? 0 : -EINVAL;
}

int name_parse(const char *text, struct name *ret_name, struct error *err)
{
	cleanup_name struct name name = NAME_INIT;
	const char *at = strchr(text, '@');
	size_t len = at ? (size_t)(at - text) : strlen(text);
	const char *colon = memrchr(text, ':', len);
	struct digest digest;
	int r;

	if (len > NAME_LEN_MAX + TAG_LEN_MAX)
		return invalid(text, err);
	if (colon && memchr(colon, '/', len - (size_t)(colon - text)))
		colon = NULL; /* a port */
	name.tag = colon ? strndup(colon + 1, len - (size_t)(colon - text) - 1) : strdup("");
	name.digest = strdup(at ? at + 1 : "");
	if (!name.tag || !name.digest)
		return err_oom(err);
	if ((colon && !tag_is_valid(name.tag)) || (at && digest_parse(at + 1, &digest, NULL) < 0))
		return invalid(text, err);
	r = take_repository(text, colon ? (size_t)(colon - text) : len, &name, err);
	if (r == -EINVAL || (r == 0 && strlen(name.repository) > NAME_LEN_MAX))
		return invalid(text, err);
	if (r < 0)
		return r;
	*ret_name = name;
	name = (struct name)NAME_INIT;
	return 0;
}

void name_done(struct name *name)
{
	free(name->repository);
	free(name->tag);
	free(name->digest);
	*name = (struct name)NAME_INIT;
}

/* "PREFIX/REPOSITORY:TAG" */
static int format_below(const char *prefix, const struct name *name, char **ret_text,
			struct error *err)
{
	bool pinned = name->digest[0];

	if (asprintf(ret_text, "%s%s%s%s%s", prefix, prefix[0] ? "/" : "", name->repository,
		     pinned ? "@" : ":",
		     pinned	    ? name->digest
		     : name->tag[0] ? name->tag
				    : "latest") < 0)
		return err_oom(err);
	return 0;
}

int name_format(const struct name *name, char **ret_text, struct error *err)
{
	return format_below("", name, ret_text, err);
}

int name_make_local(const char *text, char **ret_text, struct error *err)
{
	cleanup_name struct name name = NAME_INIT;
	int r;

	r = name_parse(text, &name, err);
	if (r < 0)
		return r;
	if (name.digest[0])
		return err_set(err, -EINVAL, "'%s': a digest can't be given as a name", text);
	return format_below(name.has_domain ? "" : "localhost", &name, ret_text, err);
}

static int add_below(const char *prefix, const struct name *name, struct strv *names,
		     struct error *err)
{
	char *full = NULL;
	int r;

	r = format_below(prefix, name, &full, err);
	if (r < 0)
		return r;
	if (strv_contains(names, full)) {
		free(full);
		return 0;
	}
	strv_add_take(names, full);
	return strv_ok(names) ? 0 : err_oom(err);
}

/* A registry's short name: Docker Hub keeps its own images below library/. */
static int add_registry(const char *registry, const struct name *name, struct strv *names,
			struct error *err)
{
	if (strcmp(registry, "docker.io") == 0 && !strchr(name->repository, '/'))
		registry = "docker.io/library";
	return add_below(registry, name, names, err);
}

static int replace(char **field, const char *value, struct error *err)
{
	char *copy;

	if (!value[0])
		return 0;
	copy = strdup(value);
	if (!copy)
		return err_oom(err);
	free(*field);
	*field = copy;
	return 0;
}

/* What an alias stands for, with the tag or digest that was typed. */
static int add_alias(const char *alias, const struct name *name, struct strv *names,
		     struct error *err)
{
	cleanup_name struct name full = NAME_INIT;
	int r;

	r = name_parse(alias, &full, err);
	if (r < 0)
		return err_wrap(err, r, "alias of '%s' in registries.conf", name->repository);
	r = replace(&full.tag, name->tag, err);
	if (r == 0)
		r = replace(&full.digest, name->digest, err);
	return r < 0 ? r : add_below("", &full, names, err);
}

/* An alias decides alone; without one, every registry that is searched. */
static int add_configured(const struct registries *registries, const struct name *name,
			  struct strv *names, struct error *err)
{
	const char *alias = registries_alias(registries, name->repository);
	int r = 0;

	if (alias)
		return add_alias(alias, name, names, err);
	for (size_t i = 0; r == 0 && i < registries->search.n; i++)
		r = add_registry(registries->search.items[i], name, names, err);
	return r;
}

int name_candidates(const char *text, struct strv *ret_names, struct error *err)
{
	cleanup_registries struct registries registries = REGISTRIES_INIT;
	cleanup_name struct name name = NAME_INIT;
	int r;

	r = name_parse(text, &name, err);
	if (r < 0)
		return r;
	if (name.has_domain)
		return add_below("", &name, ret_names, err);
	r = registries_load(&registries, err);
	if (r == 0)
		r = add_below("localhost", &name, ret_names, err);
	if (r == 0)
		r = add_configured(&registries, &name, ret_names, err);
	return r < 0 ? r : add_registry("docker.io", &name, ret_names, err);
}

int name_sources(const char *text, struct strv *ret_names, struct error *err)
{
	cleanup_registries struct registries registries = REGISTRIES_INIT;
	cleanup_name struct name name = NAME_INIT;
	int r;

	r = name_parse(text, &name, err);
	if (r < 0)
		return r;
	if (name.has_domain)
		return add_below("", &name, ret_names, err);
	r = registries_load(&registries, err);
	if (r == 0)
		r = add_configured(&registries, &name, ret_names, err);
	if (r < 0)
		return r;
	if (ret_names->n == 0)
		return err_set(err, -ENOENT,
			       "short-name \"%s\" did not resolve to an alias and no "
			       "unqualified-search registries are defined in \"%s\"",
			       text, registries.path);
	return 0;
}

const char *name_split_tag(const char *full, size_t *ret_repository_len)
{
	const char *slash = strrchr(full, '/');
	const char *colon = strrchr(slash ? slash : full, ':');

	*ret_repository_len = colon ? (size_t)(colon - full) : strlen(full);
	return colon ? colon + 1 : NULL;
}
