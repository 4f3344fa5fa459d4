/*
 * settings: files of /proc/sys, opened before the freeze and read in it.
 *
 * Whose setting such a file is, is decided when it is opened (the opener's
 * namespace); what it says is made when it is read. Opening and closing is the slow
 * half, and there are hundreds of them: that half is done while nothing stands
 * still yet. What was not opened ahead is opened when it is read.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct dump;
struct error;

/* Called in the namespace, whose number in the images is `ns_id`. A file that is not there is
 * remembered, too. */
int setting_open_ahead(struct dump *dump, uint32_t ns_id, const char *path, struct error *err);

/* 1: `text` is what it says, without the newline; 0: this kernel has no such setting, or it was
 * never set. Called in the namespace, too. */
int setting_read(const struct dump *dump, uint32_t ns_id, const char *path, char *text, size_t size,
		 struct error *err);

void settings_done(struct dump *dump);
