#include "trace/slot.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc-maps.h"
#include "pie/abi.h"

#define VDSO_MAX ((size_t)16 << 12)
#define AUXV_MAX 64

/* The kernel's note of where it mapped the vDSO at exec; one read, where maps are many lines. */
static int find_first(pid_t host_pid, struct raddr *ret_at, struct error *err)
{
	Elf64_auxv_t auxv[AUXV_MAX] = { 0 };
	cleanup_fd int fd = -EBADF;
	char path[64];
	ssize_t len;

	(void)snprintf(path, sizeof(path), "/proc/%d/auxv", (int)host_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, -ESRCH, "open '%s': no such process", path);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	len = read(fd, auxv, sizeof(auxv));
	if (len < 0)
		return err_sys(err, "read '%s'", path);
	for (size_t i = 0; i < (size_t)len / sizeof(auxv[0]) && auxv[i].a_type != AT_NULL; i++) {
		if (auxv[i].a_type == AT_SYSINFO_EHDR && auxv[i].a_un.a_val) {
			ret_at->v = auxv[i].a_un.a_val;
			return 0;
		}
	}
	return err_set(err, -ENOENT, "task %d: no vDSO in '%s'", (int)host_pid, path);
}

/* Where it is now, if the program has moved it. */
static int find_moved(pid_t host_pid, struct raddr *ret_at, struct error *err)
{
	cleanup_proc_maps struct proc_maps maps = { NULL };
	const struct proc_vma *vma;
	int r = proc_maps_of(host_pid, &maps, err);

	if (r < 0)
		return r;
	vma = proc_maps_find(&maps, "[vdso]");
	if (!vma) {
		r = err_set(err, -EOPNOTSUPP, "task %d has no vDSO", (int)host_pid);
		err_hint(err, "the program, or the kernel's option vdso=0, has unmapped it; this "
			      "version needs it");
		return r;
	}
	*ret_at = raddr_of(vma->start);
	return 0;
}

/* End of what the image's headers speak of, themselves included; 0: no sound ELF image. */
static size_t image_end(const uint8_t *image, size_t len)
{
	Elf64_Ehdr eh;
	size_t end;

	if (len < sizeof(eh))
		return 0;
	memcpy(&eh, image, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phoff > VDSO_MAX ||
	    eh.e_shoff > VDSO_MAX || (eh.e_shnum && eh.e_shentsize != sizeof(Elf64_Shdr)))
		return 0;
	end = eh.e_phoff + (size_t)eh.e_phnum * sizeof(Elf64_Phdr);
	if (eh.e_shoff + (size_t)eh.e_shnum * sizeof(Elf64_Shdr) > end)
		end = eh.e_shoff + (size_t)eh.e_shnum * sizeof(Elf64_Shdr);
	if (end > len)
		return 0;
	for (size_t i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, image + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_offset > len || ph.p_filesz > len - ph.p_offset)
			return 0;
		if (ph.p_offset + ph.p_filesz > end)
			end = ph.p_offset + ph.p_filesz;
	}
	for (size_t i = 0; i < eh.e_shnum; i++) {
		Elf64_Shdr sh;

		memcpy(&sh, image + eh.e_shoff + i * sizeof(sh), sizeof(sh));
		if (sh.sh_type == SHT_NOBITS)
			continue;
		if (sh.sh_offset > len || sh.sh_size > len - sh.sh_offset)
			return 0;
		if (sh.sh_offset + sh.sh_size > end)
			end = sh.sh_offset + sh.sh_size;
	}
	return end;
}

/* From the end of the image, evenly, to the end of that page. */
static int find_padding(const uint8_t *image, size_t len, size_t *ret_start, size_t *ret_end,
			struct error *err)
{
	size_t start = image_end(image, len);
	size_t end;

	if (start == 0)
		return err_set(err, -EOPNOTSUPP, "the vDSO is no ELF image that we understand");
	start = (start + 63) & ~(size_t)63;
	end = (start + 4095) & ~(size_t)4095;
	if (end > len || end - start < SLOT_LEN)
		return err_set(err, -EOPNOTSUPP,
			       "the vDSO has %zu bytes of padding, %zu are needed", end - start,
			       SLOT_LEN);
	*ret_start = start;
	*ret_end = end;
	return 0;
}

int slot_padding_of(const void *image, size_t len, size_t *ret_offset, struct error *err)
{
	size_t end;

	return find_padding(image, len, ret_offset, &end, err);
}

/* How much of it is mapped is not told by auxv: as many whole pages as can be read. */
static int read_image(pid_t host_pid, struct raddr at, uint8_t *image, size_t *ret_len,
		      struct error *err)
{
	size_t len = 0;
	int r;

	r = rmem_read(host_pid, at, image, 4096, err);
	if (r < 0)
		return r;
	for (len = 4096; len < VDSO_MAX; len += 4096) {
		size_t end = image_end(image, len);

		if (end && end <= len)
			break;
		if (rmem_read(host_pid, raddr_add(at, len), image + len, 4096, NULL) < 0)
			break; /* not mapped: what we have must do */
	}
	*ret_len = len;
	return 0;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* Its image, and the padding [start, end) in it. */
static int look_at(pid_t host_pid, struct raddr at, uint8_t *image, size_t *ret_start,
		   size_t *ret_end, struct error *err)
{
	size_t len = 0;
	int r = read_image(host_pid, at, image, &len, err);

	if (r == 0)
		r = find_padding(image, len, ret_start, ret_end, err);
	return r < 0 ? err_wrap(err, r, "task %d: vDSO at %" PRIx64, (int)host_pid, at.v) : 0;
}

int slot_look(pid_t host_pid, struct slot_room *ret_room, struct error *err)
{
	struct slot_room room = { .n = 0 };
	uint8_t image[VDSO_MAX];
	struct raddr at;
	size_t start = 0;
	size_t end = 0;
	int r;

	r = find_first(host_pid, &at, NULL);
	if (r == 0)
		r = look_at(host_pid, at, image, &start, &end, NULL);
	if (r < 0) {
		r = find_moved(host_pid, &at, err);
		if (r == 0)
			r = look_at(host_pid, at, image, &start, &end, err);
	}
	if (r < 0)
		return r;

	room.start = raddr_add(at, start);
	for (; room.n < SLOTS_MAX && start + SLOT_LEN <= end; room.n++, start += SLOT_LEN) {
		struct slot_head *head = &room.heads[room.n];

		memcpy(head, image + start, sizeof(*head));
		if (all_zero(image + start, SLOT_LEN))
			continue;
		if (head->magic != SLOT_MAGIC)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: the padding of its vDSO is used by another",
				       (int)host_pid);
		room.dirty = true;
	}
	*ret_room = room;
	return 0;
}

size_t slot_choose(const struct slot_room *room, uint32_t *ret_sequence)
{
	uint32_t last = 0;
	size_t best = 0;

	for (size_t i = 0; i < room->n; i++) {
		uint32_t sequence = room->heads[i].sequence;

		if (sequence > last)
			last = sequence;
		if (sequence < room->heads[best].sequence) /* 0: empty */
			best = i;
	}
	*ret_sequence = last + 1;
	return best;
}

bool slot_is_leaving(pid_t host_pid, const struct slot_room *room, uint64_t rip)
{
	if (rip - room->start.v < room->n * SLOT_LEN)
		return true;
	for (size_t i = 0; i < room->n; i++) {
		struct pie_area head = { 0 };
		uint64_t area = room->heads[i].area;

		if (!area || rip - area >= room->heads[i].area_size)
			continue;
		if (rmem_read(host_pid, raddr_of(area), &head, sizeof(head), NULL) == 0 &&
		    head.magic == PIE_MAGIC && rip - area < head.size)
			return true;
	}
	return false;
}
