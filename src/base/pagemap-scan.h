/*
 * pagemap-scan: ioctl(PAGEMAP_SCAN) of /proc/PID/pagemap, since Linux 6.7
 * (Documentation/admin-guide/mm/pagemap.rst, include/uapi/linux/fs.h), which is newer than the
 * headers we build with.
 */
#pragma once

#include <linux/ioctl.h>
#include <stdint.h>

struct pagemap_scan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pagemap_scan_arg {
	uint64_t size; /* of this structure */
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end; /* filled in: where it stopped */
	uint64_t vec;	   /* address of regions, which are filled in */
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct pagemap_scan_arg)
#define PAGEMAP_SCAN_WP_MATCHING (1u << 0)

/* Categories */
#define PAGEMAP_IS_WRITTEN (1u << 1)
#define PAGEMAP_IS_FILE (1u << 2)
#define PAGEMAP_IS_PRESENT (1u << 3)
#define PAGEMAP_IS_SWAPPED (1u << 4)
#define PAGEMAP_IS_ZERO (1u << 5)
#define PAGEMAP_IS_GUARD (1u << 8) /* since Linux 6.16 */
