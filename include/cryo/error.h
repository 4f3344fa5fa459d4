/*
 * error: what went wrong, in words a person can act on.
 *
 * Every function of the library that can fail returns 0 (or a documented
 * positive answer) or a negative errno, and takes a `struct error *` as its
 * last parameter. When it fails and the pointer is not NULL, the object then
 * says the same code and the whole story. The object holds no memory of its
 * own: it can live on a stack, be copied, and needs no clean-up; reporting
 * works when memory is short.
 *
 * Codes with a meaning everywhere:
 *   -EOPNOTSUPP  state that can't be saved or rebuilt
 *   -EBADMSG     damaged or inconsistent image, archive or JSON
 *   -ESRCH       the target is gone
 *   -EBUSY       the object is in the wrong state for this
 * All others come from the system call the text names.
 */
#pragma once

#define ERROR_TEXT_MAX 2048
#define ERROR_HINT_MAX 512

struct error {
	int code;		   /* negative errno; 0 while nothing failed */
	char text[ERROR_TEXT_MAX]; /* one line, lower case, no full stop */
	char hint[ERROR_HINT_MAX]; /* what the user can do; may be empty */
};

#define ERROR_INIT                                                                                 \
	{                                                                                          \
		.code = 0                                                                          \
	}
