/*
 * show-style: which fields of the records read better as something other than
 * a decimal number. The choices are crit's, so that its `encode` understands
 * what is shown here.
 */
#pragma once

#include <stdint.h>

enum show_as {
	SHOW_PLAIN,
	SHOW_HEX,	 /* "0x1f"; of a message: all numbers in it */
	SHOW_DEVICE,	 /* "major:minor", minor in the low 20 bits (the kernel's own form) */
	SHOW_OLD_DEVICE, /* "major:minor" of stat(2)'s st_dev */
	SHOW_ADDRESS,	 /* one or four words in network order: an IP address */
	SHOW_FLAGS,	 /* "O_RDWR | O_APPEND | 0x40000000" */
	SHOW_WORD,	 /* "STREAM" */
	SHOW_QUOTED,	 /* bytes as quoted-printable text */
};

struct show_word {
	uint32_t value;
	const char *word; /* NULL: the end of the list */
};

struct show_style {
	const char *message;
	const char *field;
	enum show_as as;
	const struct show_word *words;
};

/* Never NULL: fields without an entry are SHOW_PLAIN. */
const struct show_style *show_style(const char *message, const char *field);
