#include "sample.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "img/pb/bpfmap-data.pb-c.h"
#include "img/pb/core.pb-c.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/ipc-msg.pb-c.h"
#include "img/pb/ipc-sem.pb-c.h"
#include "img/pb/ipc-shm.pb-c.h"
#include "img/pb/pipe-data.pb-c.h"
#include "img/pb/sk-packet.pb-c.h"
#include "img/pb/tcp-stream.pb-c.h"
#include "img/show-style.h"

#define DEPTH_MAX 5 /* some messages contain themselves */
#define RECORDS 4

struct filling {
	struct arena *arena;
	unsigned int seed;
	uint64_t counter;
};

static ProtobufCMessage *fill_message(struct filling *f, const ProtobufCMessageDescriptor *type,
				      unsigned int depth);

/* Spread over all 64 bits, different each time. */
static uint64_t next_number(struct filling *f)
{
	f->counter++;
	return f->counter * UINT64_C(0x9e3779b97f4a7c15) + f->seed;
}

static char *next_string(struct filling *f)
{
	return arena_printf(f->arena, "sample \"%u\" \\ \t\n\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa6\x80",
			    (unsigned int)(next_number(f) >> 40));
}

static void fill_bytes(struct filling *f, ProtobufCBinaryData *bytes)
{
	bytes->len = (size_t)(next_number(f) >> 57);
	bytes->data = arena_alloc(f->arena, bytes->len);
	assert(bytes->data);
	for (size_t i = 0; i < bytes->len; i++)
		bytes->data[i] = (uint8_t)(next_number(f) >> 50);
}

/* The last values of a list are the newest, which Debian's crit does not know. */
static int next_enum(struct filling *f, const ProtobufCEnumDescriptor *type)
{
	return type->values[next_number(f) % ((type->n_values + 1) / 2)].value;
}

static void fill_value(struct filling *f, const ProtobufCFieldDescriptor *field, void *at,
		       unsigned int depth)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*(uint32_t *)at = (uint32_t)(next_number(f) >> 32);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*(uint64_t *)at = next_number(f);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = next_number(f) >> 63 ? 1 : 0;
		break;
	case PROTOBUF_C_TYPE_ENUM:
		*(int *)at = next_enum(f, field->descriptor);
		break;
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = next_string(f);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		fill_bytes(f, at);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)at = fill_message(f, field->descriptor, depth + 1);
		break;
	default:
		assert(!"no record has fields of a floating type");
	}
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return sizeof(uint64_t);
	default:
		return sizeof(uint32_t);
	}
}

static void fill_repeated(struct filling *f, const ProtobufCMessageDescriptor *type,
			  const ProtobufCFieldDescriptor *field, char *base, unsigned int depth)
{
	size_t n = 3;
	char *values;

	/* An address has one word or four. */
	if (show_style(type->name, field->name)->as == SHOW_ADDRESS)
		n = next_number(f) >> 63 ? 1 : 4;
	values = arena_array(f->arena, n, value_size(field->type));
	assert(values);
	for (size_t i = 0; i < n; i++)
		fill_value(f, field, values + i * value_size(field->type), depth);
	*(size_t *)(void *)(base + field->quantifier_offset) = n;
	*(char **)(void *)(base + field->offset) = values;
}

static void fill_field(struct filling *f, const ProtobufCMessageDescriptor *type,
		       const ProtobufCFieldDescriptor *field, char *base, unsigned int depth)
{
	bool pointer =
		field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;

	if (field->label != PROTOBUF_C_LABEL_REQUIRED &&
	    (f->seed % 2 || (depth == DEPTH_MAX && field->type == PROTOBUF_C_TYPE_MESSAGE)))
		return;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		fill_repeated(f, type, field, base, depth);
		return;
	}
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !pointer)
		*(protobuf_c_boolean *)(void *)(base + field->quantifier_offset) = 1;
	fill_value(f, field, base + field->offset, depth);
}

static ProtobufCMessage *fill_message(struct filling *f, const ProtobufCMessageDescriptor *type,
				      unsigned int depth)
{
	ProtobufCMessage *message = arena_alloc(f->arena, type->sizeof_message);

	assert(message);
	type->message_init(message);
	for (unsigned int i = 0; i < type->n_fields; i++)
		fill_field(f, type, &type->fields[i], (char *)message, depth);
	return message;
}

ProtobufCMessage *sample_message(struct arena *arena, const ProtobufCMessageDescriptor *type,
				 unsigned int seed)
{
	struct filling f = { .arena = arena, .seed = seed };

	return fill_message(&f, type, 1);
}

/* Raw bytes behind the record must be few, and state words ones that crit knows rightly. */
static void tame(enum img_kind kind, size_t index, ProtobufCMessage *record)
{
	switch (img_kind_info(kind)->extra) {
	case IMG_EXTRA_NONE:
		if (kind == IMG_KIND_CORE && ((CoreEntry *)record)->tc)
			((CoreEntry *)record)->tc->task_state = 1;
		break;
	case IMG_EXTRA_PIPE:
		((PipeDataEntry *)record)->bytes = (uint32_t)index * 57;
		break;
	case IMG_EXTRA_PACKET:
		((SkPacketEntry *)record)->length = (uint32_t)index * 31;
		break;
	case IMG_EXTRA_TCP:
		((TcpStreamEntry *)record)->inq_len = (uint32_t)index * 7;
		((TcpStreamEntry *)record)->outq_len = (uint32_t)index * 100;
		break;
	case IMG_EXTRA_SEM:
		((IpcSemEntry *)record)->nsems = (uint32_t)index * 3;
		break;
	case IMG_EXTRA_MESSAGES:
		((IpcMsgEntry *)record)->qnum = (uint32_t)index;
		break;
	case IMG_EXTRA_SHM:
		((IpcShmEntry *)record)->size = index * 21;
		((IpcShmEntry *)record)->has_in_pagemaps = false;
		break;
	case IMG_EXTRA_GHOST:
		if (index == 0)
			((GhostFileEntry *)record)->chunks =
				((GhostFileEntry *)record)->has_chunks = 1;
		else
			((GhostChunkEntry *)record)->len = index * 5;
		break;
	case IMG_EXTRA_BPF:
		((BpfmapDataEntry *)record)->keys_bytes = (uint32_t)index * 4;
		((BpfmapDataEntry *)record)->values_bytes = (uint32_t)index * 9;
		break;
	}
}

static int write_bytes(struct image *image, uint64_t len, uint64_t padded, struct error *err)
{
	int r = 0;

	for (uint64_t i = 0; i < padded && r == 0; i++) {
		unsigned char byte = i < len ? (unsigned char)(i * 37 + len) : 0;

		r = image_write_raw(image, &byte, 1, err);
	}
	return r;
}

static int write_messages(struct image *image, uint32_t n, struct error *err)
{
	for (uint32_t i = 0; i < n; i++) {
		IpcMsg msg = IPC_MSG__INIT;
		int r;

		msg.mtype = i + 1;
		msg.msize = i * 3 + 1;
		r = image_write_nested(image, &msg.base, err);
		if (r == 0)
			r = write_bytes(image, msg.msize, (msg.msize + 7) / 8 * 8, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_extra(struct image *image, size_t index, const ProtobufCMessage *record,
		       struct error *err)
{
	uint64_t len = img_kind_extra_size(image->kind, index, record);
	uint64_t used = len;

	if (image->kind == IMG_KIND_IPC_MSG)
		return write_messages(image, ((const IpcMsgEntry *)record)->qnum, err);
	if (image->kind == IMG_KIND_IPC_SEM)
		used = ((const IpcSemEntry *)record)->nsems * UINT64_C(2);
	if (image->kind == IMG_KIND_IPC_SHM)
		used = ((const IpcShmEntry *)record)->size;
	return write_bytes(image, used, len, err);
}

int sample_image(int dirfd, enum img_kind kind, uint64_t id, struct error *err)
{
	const struct img_kind_info *info = img_kind_info(kind);
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_arena struct arena arena = ARENA_INIT;
	int r;

	assert(info->record);
	r = image_create(&image, dirfd, kind, id, err);
	for (size_t i = 0; i < RECORDS && r == 0; i++) {
		ProtobufCMessage *record = sample_message(
			&arena, i > 0 && info->rest ? info->rest : info->record, (unsigned int)i);

		tame(kind, i, record);
		r = image_write(&image, record, err);
		if (r == 0)
			r = write_extra(&image, i, record, err);
	}
	return r < 0 ? r : image_finish(&image, err);
}
