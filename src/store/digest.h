/*
 * digest: the name of a blob by its content: "sha256:" and 64 hex digits.
 *
 * Other algorithms exist in the OCI's rules and nearly nowhere else; they are
 * refused in words where a digest is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nettle/sha2.h>

struct error;

#define DIGEST_PREFIX "sha256:"
#define DIGEST_HEX_LEN 64

struct digest {
	char text[sizeof(DIGEST_PREFIX) +
		  DIGEST_HEX_LEN]; /* zero-terminated; "" is the empty one */
};

#define DIGEST_INIT                                                                                \
	{                                                                                          \
		.text = ""                                                                         \
	}

/* -EBADMSG: not a digest, or of an algorithm we don't know. */
int digest_parse(const char *text, struct digest *ret_digest, struct error *err);

/* The 64 hex digits: a file name below blobs/sha256. */
static inline const char *digest_hex(const struct digest *digest)
{
	return digest->text + sizeof(DIGEST_PREFIX) - 1;
}

bool digest_equal(const struct digest *a, const struct digest *b);

void digest_of(const void *data, size_t len, struct digest *ret_digest);

/* The identity of a layer upon a stack of others: the OCI's ChainID. `below` NULL: the lowest. */
void digest_chain(const struct digest *below, const struct digest *diff_id,
		  struct digest *ret_chain);

/* Exactly `len` lower-case hex digits. */
bool digest_is_hex(const char *text, size_t len);

/* A digest of what passes by. */
struct hasher {
	struct sha256_ctx ctx;
	uint64_t size; /* bytes so far */
};

void hasher_init(struct hasher *hasher);
void hasher_add(struct hasher *hasher, const void *data, size_t len);
void hasher_finish(struct hasher *hasher, struct digest *ret_digest);
