#include "store/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

bool digest_is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
	return true;
}

int digest_parse(const char *text, struct digest *ret_digest, struct error *err)
{
	size_t prefix = sizeof(DIGEST_PREFIX) - 1;

	if (strncmp(text, DIGEST_PREFIX, prefix) != 0)
		return err_set(err, -EBADMSG, "'%.100s' is not a SHA-256 digest", text);
	if (strlen(text) != prefix + DIGEST_HEX_LEN ||
	    !digest_is_hex(text + prefix, DIGEST_HEX_LEN))
		return err_set(err, -EBADMSG, "'%.100s' is not a valid digest", text);
	memcpy(ret_digest->text, text, prefix + DIGEST_HEX_LEN + 1);
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

void digest_of(const void *data, size_t len, struct digest *ret_digest)
{
	struct hasher hasher;

	hasher_init(&hasher);
	hasher_add(&hasher, data, len);
	hasher_finish(&hasher, ret_digest);
}

void digest_chain(const struct digest *below, const struct digest *diff_id,
		  struct digest *ret_chain)
{
	char joined[2 * sizeof(struct digest) + 1];

	if (!below) {
		*ret_chain = *diff_id;
		return;
	}
	(void)snprintf(joined, sizeof(joined), "%s %s", below->text, diff_id->text);
	digest_of(joined, strlen(joined), ret_chain);
}

void hasher_init(struct hasher *hasher)
{
	sha256_init(&hasher->ctx);
	hasher->size = 0;
}

void hasher_add(struct hasher *hasher, const void *data, size_t len)
{
	sha256_update(&hasher->ctx, len, data);
	hasher->size += len;
}

void hasher_finish(struct hasher *hasher, struct digest *ret_digest)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[SHA256_DIGEST_SIZE];
	char *at = ret_digest->text + sizeof(DIGEST_PREFIX) - 1;

	sha256_digest(&hasher->ctx, sizeof(raw), raw);
	memcpy(ret_digest->text, DIGEST_PREFIX, sizeof(DIGEST_PREFIX) - 1);
	for (size_t i = 0; i < sizeof(raw); i++) {
		*at++ = digits[raw[i] >> 4];
		*at++ = digits[raw[i] & 15];
	}
	*at = '\0';
}
