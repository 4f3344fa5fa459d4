#include "img/wire.h"

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_64BIT = 1,
	WIRE_BYTES = 2,
	WIRE_32BIT = 5,
};

struct wire {
	const uint8_t *at;
	const uint8_t *end;
};

static bool take_varint(struct wire *wire, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (wire->at == wire->end)
			return false;
		byte = *wire->at++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct wire *wire, uint64_t n)
{
	if (n > (uint64_t)(wire->end - wire->at))
		return false;
	wire->at += n;
	return true;
}

static bool check(const ProtobufCMessageDescriptor *descriptor, struct wire wire,
		  unsigned int depth)
{
	if (depth > WIRE_DEPTH_MAX)
		return false;
	while (wire.at < wire.end) {
		const ProtobufCFieldDescriptor *field;
		struct wire inner;
		uint64_t tag;
		uint64_t len;

		if (!take_varint(&wire, &tag) || tag > UINT32_MAX)
			return false;
		switch ((enum wire_type)(tag & 7)) {
		case WIRE_VARINT:
			if (!take_varint(&wire, &len))
				return false;
			break;
		case WIRE_64BIT:
			if (!skip(&wire, 8))
				return false;
			break;
		case WIRE_32BIT:
			if (!skip(&wire, 4))
				return false;
			break;
		case WIRE_BYTES:
			if (!take_varint(&wire, &len))
				return false;
			inner.at = wire.at;
			if (!skip(&wire, len))
				return false;
			inner.end = wire.at;
			field = protobuf_c_message_descriptor_get_field(descriptor,
									(unsigned int)(tag >> 3));
			if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
			    !check(field->descriptor, inner, depth + 1))
				return false;
			break;
		default:
			return false;
		}
	}
	return true;
}

bool wire_depth_ok(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t len)
{
	return check(descriptor, (struct wire){ .at = data, .end = data + len }, 1);
}
