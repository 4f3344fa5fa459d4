/*
 * external: objects that stay outside a checkpoint and are named by a key.
 *
 * Written as CRIU's --external writes them. At dump:
 *	mnt[/path/inside]:KEY     this mount is not ours: remember it as KEY
 *	net[INODE]:KEY, pid[...]  this namespace is not ours
 *	file[MNT_ID:INODE], tty[RDEV:DEV], unix[INODE], pipe[INODE]
 * and at restore:
 *	mnt[KEY]:/path/outside    bind this path (or file) there
 * Descriptors handed over at restore (--inherit-fd) stand in for the file of
 * that key: "pipe:[123]", "file[...]", "tty[...]", a KEY of a namespace.
 */
#pragma once

struct cryo_inherit_fd {
	int fd;		 /* borrowed; stays open in the caller */
	const char *key; /* borrowed */
};
