/*
 * What a field is, protobuf-c's descriptors tell; how it reads best,
 * img/show-style tells.
 */
#include "img/show.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "img/folder.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/ipc-msg.pb-c.h"
#include "img/pb/ipc-sem.pb-c.h"
#include "img/pb/ipc-shm.pb-c.h"
#include "img/pb/tcp-stream.pb-c.h"
#include "img/show-style.h"

/* How values are shown: as told by their style, or all in decimal. */
struct manner {
	bool readable;
	bool hex; /* inside a message shown in hexadecimal */
};

static void show_message(const ProtobufCMessage *message, struct manner manner, struct jsonw *json);

/* ---- single values ---- */

static void show_flags(uint64_t value, const struct show_word *words, struct jsonw *json)
{
	cleanup_buf struct buf text = BUF_INIT;

	for (; words->word; words++) {
		if (!(value & words->value))
			continue;
		buf_addf(&text, "%s%s", text.len ? " | " : "", words->word);
		value &= ~(uint64_t)words->value;
	}
	if (value)
		buf_addf(&text, "%s0x%" PRIx64, text.len ? " | " : "", value);
	jsonw_string(json, buf_str(&text), text.len);
}

static void show_word(uint64_t value, const struct show_word *words, struct jsonw *json)
{
	for (; words->word; words++) {
		if (words->value == value) {
			jsonw_string(json, words->word, strlen(words->word));
			return;
		}
	}
	jsonw_uint(json, value);
}

static void show_uint(uint64_t value, const struct show_style *style, struct manner manner,
		      struct jsonw *json)
{
	if (!manner.readable) {
		jsonw_uint(json, value);
		return;
	}
	if (manner.hex) {
		jsonw_text(json, "0x%" PRIx64, value);
		return;
	}
	switch (style->as) {
	case SHOW_HEX:
		jsonw_text(json, "0x%" PRIx64, value);
		break;
	case SHOW_DEVICE:
		jsonw_text(json, "%" PRIu64 ":%" PRIu64, value >> 20, value & 0xfffff);
		break;
	case SHOW_OLD_DEVICE:
		jsonw_text(json, "%u:%u", major(value), minor(value));
		break;
	case SHOW_FLAGS:
		show_flags(value, style->words, json);
		break;
	case SHOW_WORD:
		show_word(value, style->words, json);
		break;
	default:
		jsonw_uint(json, value);
	}
}

/* Quoted-printable (RFC 2045), soft line breaks included, as Python's quopri writes it. */
static void show_quoted(const ProtobufCBinaryData *data, struct jsonw *json)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t column = 0;

	for (size_t i = 0; i < data->len; i++) {
		unsigned char c = data->data[i];
		bool last = i + 1 == data->len;
		unsigned char next = last ? '\0' : data->data[i + 1];
		bool blank = c == ' ' || c == '\t';
		bool lonely_dot =
			c == '.' && column == 0 && (next == '\n' || next == '\r' || next == '\0');

		if (c > 126 || c == '=' || lonely_dot || (blank && last) ||
		    (c < 33 && !blank && c != '\r' && c != '\n')) {
			if (column + 3 >= 76) {
				buf_adds(&text, "=\n");
				column = 0;
			}
			buf_addf(&text, "=%02X", c);
			column += 3;
		} else if (c == '\n') {
			buf_adds(&text, "\n");
			column = 0;
		} else {
			if (!last && next != '\n' && column + 1 >= 76) {
				buf_adds(&text, "=\n");
				column = 0;
			}
			buf_add(&text, &c, 1);
			column++;
		}
	}
	jsonw_string(json, buf_str(&text), text.len);
}

static void show_bytes(const void *data, size_t len, struct jsonw *json)
{
	jsonw_base64_begin(json);
	jsonw_base64_add(json, data, len);
	jsonw_base64_end(json);
}

static void show_enum(const ProtobufCFieldDescriptor *field, int value, struct jsonw *json)
{
	const ProtobufCEnumValue *known =
		protobuf_c_enum_descriptor_get_value(field->descriptor, value);

	if (known)
		jsonw_string(json, known->name, strlen(known->name));
	else
		jsonw_int(json, value);
}

static void show_value(const ProtobufCFieldDescriptor *field, const struct show_style *style,
		       const void *at, struct manner manner, struct jsonw *json)
{
	const ProtobufCBinaryData *bytes;
	const char *s;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		jsonw_int(json, *(const int32_t *)at);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		jsonw_int(json, *(const int64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		show_uint(*(const uint32_t *)at, style, manner, json);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		show_uint(*(const uint64_t *)at, style, manner, json);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		jsonw_bool(json, *(const protobuf_c_boolean *)at);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		show_enum(field, *(const int *)at, json);
		break;
	case PROTOBUF_C_TYPE_STRING:
		s = *(const char *const *)at;
		jsonw_string(json, s, strlen(s));
		break;
	case PROTOBUF_C_TYPE_BYTES:
		bytes = at;
		if (style->as == SHOW_QUOTED)
			show_quoted(bytes, json);
		else
			show_bytes(bytes->data, bytes->len, json);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		manner.hex |= style->as == SHOW_HEX;
		show_message(*(const ProtobufCMessage *const *)at, manner, json);
		break;
	default:
		assert(!"no record has fields of a floating type");
	}
}

/* ---- fields ---- */

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return sizeof(uint32_t);
	}
}

/* RFC 4291 text without the dotted form for mapped addresses, as Python prints it. */
static void show_ipv6(const uint32_t words[4], struct jsonw *json)
{
	const unsigned char *b = (const unsigned char *)words;
	cleanup_buf struct buf text = BUF_INIT;
	size_t best = 8;
	size_t best_len = 1; /* a single zero group is not shortened */

	for (size_t i = 0; i < 8; i++) {
		size_t n = 0;

		while (i + n < 8 && !b[2 * (i + n)] && !b[2 * (i + n) + 1])
			n++;
		if (n > best_len) {
			best = i;
			best_len = n;
		}
	}
	for (size_t i = 0; i < 8; i++) {
		if (i == best) {
			buf_adds(&text, "::");
			i += best_len - 1;
			continue;
		}
		if (text.len && text.data[text.len - 1] != ':')
			buf_adds(&text, ":");
		buf_addf(&text, "%x", (unsigned int)b[2 * i] << 8 | b[2 * i + 1]);
	}
	jsonw_string(json, buf_str(&text), text.len);
}

/* False: it has a length no address has. */
static bool show_address(const uint32_t *words, size_t n, struct jsonw *json)
{
	const unsigned char *b = (const unsigned char *)words;

	if (n != 1 && n != 4)
		return false;
	jsonw_begin(json, '[');
	if (n == 1)
		jsonw_text(json, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	else
		show_ipv6(words, json);
	jsonw_end(json, ']');
	return true;
}

static void show_repeated(const ProtobufCFieldDescriptor *field, const struct show_style *style,
			  const char *values, size_t n, struct manner manner, struct jsonw *json)
{
	if (manner.readable && style->as == SHOW_ADDRESS &&
	    show_address((const uint32_t *)(const void *)values, n, json))
		return;
	jsonw_begin(json, '[');
	for (size_t i = 0; i < n; i++)
		show_value(field, style, values + i * value_size(field->type), manner, json);
	jsonw_end(json, ']');
}

static bool is_present(const ProtobufCFieldDescriptor *field, const char *base)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(const void *)(base + field->quantifier_offset) > 0;
	if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(const void *const *)(const void *)(base + field->offset) != NULL;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
		return *(const protobuf_c_boolean *)(const void *)(base + field->quantifier_offset);
	return true;
}

static void show_fields(const ProtobufCMessage *message, struct manner manner, struct jsonw *json)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const char *base = (const char *)message;

	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const struct show_style *style = show_style(type->name, field->name);
		const char *at = base + field->offset;

		if (!is_present(field, base))
			continue;
		jsonw_key(json, field->name);
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			show_repeated(
				field, style, *(const char *const *)(const void *)at,
				*(const size_t *)(const void *)(base + field->quantifier_offset),
				manner, json);
		else
			show_value(field, style, at, manner, json);
	}
}

static void show_message(const ProtobufCMessage *message, struct manner manner, struct jsonw *json)
{
	jsonw_begin(json, '{');
	show_fields(message, manner, json);
	jsonw_end(json, '}');
}

void show_record(const ProtobufCMessage *message, bool readable, struct jsonw *json)
{
	show_message(message, (struct manner){ .readable = readable }, json);
}

/* ---- raw bytes behind records ---- */

static int show_raw(struct image *image, uint64_t len, struct jsonw *json, struct error *err)
{
	char piece[8192];

	jsonw_base64_begin(json);
	while (len > 0) {
		size_t n = len < sizeof(piece) ? (size_t)len : sizeof(piece);
		int r = image_read_raw(image, piece, n, err);

		if (r < 0)
			return r;
		jsonw_base64_add(json, piece, n);
		len -= n;
	}
	jsonw_base64_end(json);
	return 0;
}

static int show_tcp_queues(struct image *image, const TcpStreamEntry *tcp, struct jsonw *json,
			   struct error *err)
{
	int r;

	jsonw_begin(json, '{');
	jsonw_key(json, "inq");
	r = show_raw(image, tcp->inq_len, json, err);
	if (r < 0)
		return r;
	jsonw_key(json, "outq");
	r = show_raw(image, tcp->outq_len, json, err);
	jsonw_end(json, '}');
	return r;
}

static int show_semaphores(struct image *image, const IpcSemEntry *set, struct jsonw *json,
			   struct error *err)
{
	jsonw_begin(json, '[');
	for (uint32_t i = 0; i < set->nsems; i++) {
		unsigned char value[2];
		int r = image_read_raw(image, value, sizeof(value), err);

		if (r < 0)
			return r;
		jsonw_uint(json, (unsigned int)value[1] << 8 | value[0]);
	}
	jsonw_end(json, ']');
	return 0;
}

/* The messages are in the file whether shown or not: they are framed one by one. */
static int show_messages(struct image *image, const IpcMsgEntry *queue, bool sizes_only,
			 struct jsonw *json, struct error *err)
{
	uint64_t bytes = 0;

	if (!sizes_only)
		jsonw_begin(json, '[');
	for (uint32_t i = 0; i < queue->qnum; i++) {
		cleanup_arena struct arena arena = ARENA_INIT;
		IpcMsg *msg = NULL;
		uint64_t padded;
		int r;

		arena_init(&arena, ARENA_LIMIT);
		r = image_read_nested(image, &ipc_msg__descriptor, &arena, &msg, err);
		if (r < 0)
			return r;
		padded = ((uint64_t)msg->msize + 7) / 8 * 8;
		if (sizes_only) {
			bytes += msg->msize;
			r = image_skip_raw(image, padded, err);
		} else {
			show_record(&msg->base, false, json);
			r = show_raw(image, msg->msize, json, err);
			if (r == 0)
				r = image_skip_raw(image, padded - msg->msize, err);
		}
		if (r < 0)
			return r;
	}
	if (sizes_only)
		jsonw_text(json, "... <%" PRIu64 "B>", bytes);
	else
		jsonw_end(json, ']');
	return 0;
}

/* image->extra: how many bytes follow the record. */
static int show_extra(struct image *image, const ProtobufCMessage *record, bool sizes_only,
		      struct jsonw *json, struct error *err)
{
	enum img_extra kind = img_kind_info(image->kind)->extra;
	uint64_t len = image->extra;

	if (kind == IMG_EXTRA_NONE)
		return 0;
	if (kind == IMG_EXTRA_GHOST && len == 0 &&
	    record->descriptor == &ghost_file_entry__descriptor &&
	    ((const GhostFileEntry *)record)->chunks)
		return 0; /* its content comes with the chunks */
	jsonw_key(json, "extra");
	if (kind == IMG_EXTRA_MESSAGES)
		return show_messages(image, (const IpcMsgEntry *)record, sizes_only, json, err);
	if (sizes_only) {
		jsonw_text(json, "... <%" PRIu64 "B>", len);
		return 0;
	}
	if (kind == IMG_EXTRA_TCP)
		return show_tcp_queues(image, (const TcpStreamEntry *)record, json, err);
	if (kind == IMG_EXTRA_SEM)
		return show_semaphores(image, (const IpcSemEntry *)record, json, err);
	if (kind == IMG_EXTRA_SHM && len > 0)
		len = ((const IpcShmEntry *)record)->size; /* without the padding */
	return show_raw(image, len, json, err);
}

int show_image(struct image *image, bool sizes_only, struct jsonw *json, struct error *err)
{
	jsonw_begin(json, '{');
	jsonw_key(json, "magic");
	jsonw_text(json, "%s", img_kind_info(image->kind)->name);
	jsonw_key(json, "entries");
	jsonw_begin(json, '[');
	for (;;) {
		cleanup_arena struct arena arena = ARENA_INIT;
		ProtobufCMessage *record = NULL;
		int r;

		arena_init(&arena, ARENA_LIMIT);
		r = image_read(image, &arena, &record, err);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		jsonw_begin(json, '{');
		show_fields(record, (struct manner){ .readable = true }, json);
		r = show_extra(image, record, sizes_only, json, err);
		if (r < 0)
			return r;
		jsonw_end(json, '}');
	}
	jsonw_end(json, ']');
	jsonw_end(json, '}');
	return 0;
}

static int show_file(int dirfd, const struct folder_file *file, bool sizes_only, struct jsonw *json,
		     struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int r = image_open(&image, dirfd, file->kind, file->id, err);

	if (r < 0)
		return r;
	jsonw_key(json, file->name);
	if (img_kind_info(file->kind)->record)
		return show_image(&image, sizes_only, json, err);
	jsonw_begin(json, '{');
	jsonw_key(json, "bytes");
	jsonw_uint(json, image.size);
	jsonw_end(json, '}');
	return 0;
}

static int show_folder(int dirfd, bool sizes_only, struct jsonw *json, struct error *err)
{
	cleanup_folder struct folder folder = FOLDER_INIT;
	int r = folder_list(&folder, dirfd, err);

	if (r < 0)
		return r;
	if (!folder.n_files)
		return err_set(err, -ENOENT, "no image files in the folder");
	jsonw_begin(json, '{');
	for (size_t i = 0; i < folder.n_files; i++) {
		r = show_file(dirfd, &folder.files[i], sizes_only, json, err);
		if (r < 0)
			return r;
	}
	jsonw_end(json, '}');
	return 0;
}

int show_path(int dirfd, const char *path, bool sizes_only, struct jsonw *json, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_fd int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "look at '%s'", path);
	if (S_ISDIR(st.st_mode)) {
		r = show_folder(fd, sizes_only, json, err);
		return r < 0 ? err_wrap(err, r, "folder '%s'", path) : 0;
	}
	r = image_open_any_take(&image, take_fd(&fd), path, err);
	return r < 0 ? r : show_image(&image, sizes_only, json, err);
}
