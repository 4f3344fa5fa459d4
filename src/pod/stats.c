#include "pod/stats.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"

#define MAGIC_SERVICE 0x55105940u
#define MAGIC_STATS 0x57093306u
#define HEADER 12
#define STATS_MAX 4096

struct field {
	uint64_t number;
	const char *name;
};

static const struct field dump_fields[] = {
	{ 1, "freezing_time" }, { 2, "frozen_time" },	{ 3, "memdump_time" },
	{ 4, "memwrite_time" }, { 5, "pages_scanned" }, { 7, "pages_written" },
};

static const struct field restore_fields[] = {
	{ 1, "pages_compared" }, { 2, "pages_skipped_cow" }, { 3, "forking_time" },
	{ 4, "restore_time" },	 { 5, "pages_restored" },
};

struct cursor {
	const unsigned char *at;
	const unsigned char *end;
};

static int varint(struct cursor *c, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (c->at == c->end)
			return -EBADMSG;
		value |= (uint64_t)(*c->at & 0x7f) << shift;
		if (!(*c->at++ & 0x80)) {
			*ret = value;
			return 0;
		}
	}
	return -EBADMSG;
}

/*
 * The next field: its number, and either its value or its bytes (then
 * `ret_inner` is not empty). 0: no more.
 */
static int next_field(struct cursor *c, uint64_t *ret_number, uint64_t *ret_value,
		      struct cursor *ret_inner)
{
	uint64_t key;
	uint64_t skip;

	*ret_inner = (struct cursor){ c->end, c->end };
	if (c->at == c->end)
		return 0;
	if (varint(c, &key) < 0)
		return -EBADMSG;
	*ret_number = key >> 3;
	*ret_value = 0;
	switch (key & 7) {
	case 0:
		return varint(c, ret_value) < 0 ? -EBADMSG : 1;
	case 1:
	case 5:
		skip = (key & 7) == 1 ? 8 : 4;
		break;
	case 2:
		if (varint(c, &skip) < 0)
			return -EBADMSG;
		break;
	default:
		return -EBADMSG;
	}
	if (skip > (uint64_t)(c->end - c->at))
		return -EBADMSG;
	*ret_inner = (struct cursor){ c->at, c->at + skip };
	c->at += skip;
	return 1;
}

static int add_fields(struct cursor inner, const struct field *fields, size_t n, json_t *out)
{
	struct cursor unused;
	uint64_t number;
	uint64_t value;
	int r;

	while ((r = next_field(&inner, &number, &value, &unused)) > 0)
		for (size_t i = 0; i < n; i++)
			if (fields[i].number == number && value != 0 && value <= INT64_MAX &&
			    json_object_set_new(out, fields[i].name,
						json_integer((json_int_t)value)) < 0)
				return -ENOMEM;
	return r;
}

static uint32_t word(const unsigned char *data, size_t i)
{
	uint32_t value;

	memcpy(&value, data + 4 * i, sizeof(value));
	return le32toh(value);
}

int stats_parse(const void *data, size_t len, enum stats_kind kind, json_t **ret, struct error *err)
{
	cleanup_json json_t *out = json_object();
	const unsigned char *bytes = data;
	uint64_t wanted = kind == STATS_DUMP ? 1 : 2;
	struct cursor all;
	struct cursor inner;
	uint64_t number;
	uint64_t value;
	int r;

	if (!out)
		return err_oom(err);
	if (len < HEADER || word(bytes, 0) != MAGIC_SERVICE || word(bytes, 1) != MAGIC_STATS ||
	    word(bytes, 2) > len - HEADER)
		return err_set(err, -EBADMSG, "not a statistics image");
	all = (struct cursor){ bytes + HEADER, bytes + HEADER + word(bytes, 2) };
	while ((r = next_field(&all, &number, &value, &inner)) > 0) {
		if (number != wanted)
			continue;
		r = kind == STATS_DUMP
			    ? add_fields(inner, dump_fields, ARRAY_SIZE(dump_fields), out)
			    : add_fields(inner, restore_fields, ARRAY_SIZE(restore_fields), out);
		if (r < 0)
			break;
	}
	if (r == -ENOMEM)
		return err_oom(err);
	if (r < 0)
		return err_set(err, -EBADMSG, "the statistics image is damaged");
	*ret = take_ptr(&out);
	return 0;
}

int stats_read(const char *path, enum stats_kind kind, json_t **ret, struct error *err)
{
	cleanup_free char *data = NULL;
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, path, STATS_MAX, &data, &len, err);

	if (r < 0)
		return r;
	r = stats_parse(data, len, kind, ret, err);
	return r < 0 ? err_wrap(err, r, "'%s'", path) : 0;
}
