/*
 * overlay: a container's copy-on-write root over its image's layers.
 *
 * Below the container's folder DIR (absolute path):
 *
 *	DIR/upper    what the container wrote; whiteouts are 0/0 character devices,
 *		     opaque folders carry trusted.overlay.opaque=y
 *	DIR/work     overlayfs' own
 *	DIR/merged   where the root is mounted
 *
 * Mounted with redirect_dir=off,metacopy=off, so that the upper folder is
 * whole in itself and can be read as a list of changes. Any number of lower
 * folders: handed over one by one (fsconfig lowerdir+, Linux 6.5), else as one
 * option string, with short names when it would not fit into a page.
 */
#pragma once

#include "base/strv.h"

struct error;

/*
 * Makes the three folders. `lowers`: topmost first (image.layers). The new
 * root folder takes owner and mode of the topmost one's.
 */
int overlay_create(const char *dir, const struct strv *lowers, struct error *err);

/* Mounts DIR/merged; nothing happens if it is mounted already. */
int overlay_mount(const char *dir, const struct strv *lowers, struct error *err);

/* 1: mounted, 0: not. */
int overlay_is_mounted(const char *dir, struct error *err);

/* Not mounted: fine. -EBUSY: in use; with `lazy` it is detached even so. */
int overlay_unmount(const char *dir, int lazy, struct error *err);

/* Unmounts and removes the three folders, content and all. */
int overlay_remove(const char *dir, struct error *err);

enum overlay_change {
	OVERLAY_ADDED = 'A',
	OVERLAY_CHANGED = 'C',
	OVERLAY_DELETED = 'D',
};

/*
 * What the upper folder changes against the lowers, parents before children,
 * sorted by path ("/etc/motd"). A folder whose content changed is CHANGED. A
 * negative return of `found` ends the walk and is returned.
 */
int overlay_diff(const char *dir, const struct strv *lowers,
		 int (*found)(void *arg, enum overlay_change change, const char *path,
			      struct error *err),
		 void *arg, struct error *err);
