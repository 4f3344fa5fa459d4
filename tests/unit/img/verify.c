#include "../cmocka-all.h"

#include "folder.h"
#include "img/image.h"
#include "img/pagemap.h"
#include "img/pb/cgroup.pb-c.h"
#include "img/pb/core.pb-c.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/fs.pb-c.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/inventory.pb-c.h"
#include "img/pb/mm.pb-c.h"
#include "img/pb/pipe-data.pb-c.h"
#include "img/pb/pstree.pb-c.h"
#include "img/pb/remap-file-path.pb-c.h"
#include "img/pb/seccomp.pb-c.h"
#include "img/verify.h"

/* ---- a small folder in which everything fits ---- */

static void write_one(struct fixture *f, enum img_kind kind, uint64_t id,
		      const ProtobufCMessage *message)
{
	assert_int_equal(image_write_one(f->dir, kind, id, message, &f->err), 0);
}

static void write_core(struct fixture *f, uint32_t tid, bool leader, uint32_t state)
{
	CoreEntry core = CORE_ENTRY__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	ThreadCoreEntry thread = THREAD_CORE_ENTRY__INIT;
	ThreadInfoX86 info = THREAD_INFO_X86__INIT;
	UserX86RegsEntry regs = USER_X86_REGS_ENTRY__INIT;
	UserX86FpregsEntry fpregs = USER_X86_FPREGS_ENTRY__INIT;
	char comm[] = "sample";

	core.mtype = CORE_ENTRY__MARCH__X86_64;
	info.gpregs = &regs;
	info.fpregs = &fpregs;
	core.thread_info = &info;
	thread.has_seccomp_mode = thread.has_seccomp_filter = true;
	thread.seccomp_mode = SECCOMP_MODE__filter;
	thread.seccomp_filter = 1;
	thread.has_cg_set = true;
	thread.cg_set = 1;
	core.thread_core = &thread;
	tc.comm = comm;
	tc.task_state = state;
	if (leader)
		core.tc = &tc;
	write_one(f, IMG_KIND_CORE, tid, &core.base);
}

static void write_tree(struct fixture *f)
{
	cleanup_image struct image image = IMAGE_INIT;
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	TaskKobjIdsEntry ids = TASK_KOBJ_IDS_ENTRY__INIT;
	PstreeEntry task = PSTREE_ENTRY__INIT;
	FsEntry fs = FS_ENTRY__INIT;
	uint32_t threads[] = { 1, 2 };
	uint32_t zombie[] = { 123456 }; /* CRIU leaves anything there */

	inventory.img_version = 2;
	write_one(f, IMG_KIND_INVENTORY, 0, &inventory.base);
	assert_int_equal(image_create(&image, f->dir, IMG_KIND_PSTREE, 0, &f->err), 0);
	task.pid = task.pgid = task.sid = 1;
	task.threads = threads;
	task.n_threads = 2;
	assert_int_equal(image_write(&image, &task.base, &f->err), 0);
	task.pid = 3;
	task.ppid = 1;
	task.threads = zombie;
	task.n_threads = 1;
	assert_int_equal(image_write(&image, &task.base, &f->err), 0);
	assert_int_equal(image_finish(&image, &f->err), 0);
	write_core(f, 1, true, 1);
	write_core(f, 2, false, 0);
	write_core(f, 3, true, 6);
	ids.vm_id = ids.fs_id = ids.sighand_id = 1;
	ids.files_id = 2;
	write_one(f, IMG_KIND_IDS, 1, &ids.base);
	fs.cwd_id = fs.root_id = 3;
	write_one(f, IMG_KIND_FS, 1, &fs.base);
}

static FownEntry nobody = FOWN_ENTRY__INIT;

static void add_fd(struct fixture *f, struct image *files, struct image *fds, FileEntry *file)
{
	FdinfoEntry fd = FDINFO_ENTRY__INIT;

	fd.fd = fd.id = file->id;
	fd.type = file->type;
	assert_int_equal(image_write(files, &file->base, &f->err), 0);
	assert_int_equal(image_write(fds, &fd.base, &f->err), 0);
}

static void write_files(struct fixture *f)
{
	cleanup_image struct image files = IMAGE_INIT;
	cleanup_image struct image fds = IMAGE_INIT;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	PipeEntry pipe = PIPE_ENTRY__INIT;
	MemfdFileEntry memfd = MEMFD_FILE_ENTRY__INIT;
	TtyFileEntry tty = TTY_FILE_ENTRY__INIT;
	char name[] = "/bin/sample";

	assert_int_equal(image_create(&files, f->dir, IMG_KIND_FILES, 0, &f->err), 0);
	assert_int_equal(image_create(&fds, f->dir, IMG_KIND_FDINFO, 2, &f->err), 0);
	reg.fown = pipe.fown = memfd.fown = tty.fown = &nobody;
	reg.name = name;
	pipe.pipe_id = 5;
	memfd.inode_id = 77;
	tty.tty_info_id = 9;
	tty.has_regf_id = true;
	tty.regf_id = 1;
	for (uint32_t id = 1; id <= 5; id++) {
		FileEntry file = FILE_ENTRY__INIT;

		file.id = id;
		if (id == 1 || id == 3) {
			file.type = FD_TYPES__REG;
			file.reg = &reg;
		} else if (id == 2) {
			file.type = FD_TYPES__PIPE;
			file.pipe = &pipe;
		} else if (id == 4) {
			file.type = FD_TYPES__MEMFD;
			file.memfd = &memfd;
		} else {
			file.type = FD_TYPES__TTY;
			file.tty = &tty;
		}
		add_fd(f, &files, &fds, &file);
	}
	assert_int_equal(image_finish(&files, &f->err), 0);
	assert_int_equal(image_finish(&fds, &f->err), 0);
}

static void write_pipe_data(struct fixture *f, uint32_t pipe_id)
{
	cleanup_image struct image image = IMAGE_INIT;
	PipeDataEntry data = PIPE_DATA_ENTRY__INIT;

	data.pipe_id = pipe_id;
	data.bytes = 3;
	assert_int_equal(image_create(&image, f->dir, IMG_KIND_PIPES_DATA, 0, &f->err), 0);
	assert_int_equal(image_write(&image, &data.base, &f->err), 0);
	assert_int_equal(image_write_raw(&image, "abc", 3, &f->err), 0);
	assert_int_equal(image_finish(&image, &f->err), 0);
}

static void write_objects(struct fixture *f)
{
	MemfdInodeEntry inode = MEMFD_INODE_ENTRY__INIT;
	TtyInfoEntry terminal = TTY_INFO_ENTRY__INIT;
	RemapFilePathEntry remap = REMAP_FILE_PATH_ENTRY__INIT;
	GhostFileEntry ghost = GHOST_FILE_ENTRY__INIT;
	SeccompFilter filters[2] = { SECCOMP_FILTER__INIT, SECCOMP_FILTER__INIT };
	SeccompFilter *chain[] = { &filters[0], &filters[1] };
	SeccompEntry seccomp = SECCOMP_ENTRY__INIT;
	CgSetEntry set = CG_SET_ENTRY__INIT;
	CgSetEntry *sets[] = { &set };
	CgroupEntry cgroup = CGROUP_ENTRY__INIT;
	char name[] = "sample";

	inode.name = name;
	inode.inode_id = 77;
	inode.shmid = 6;
	inode.size = 4096;
	write_one(f, IMG_KIND_MEMFD, 0, &inode.base);
	terminal.id = 9;
	write_one(f, IMG_KIND_TTY_INFO, 0, &terminal.base);
	remap.orig_id = 1;
	remap.remap_id = 0x1f;
	remap.has_remap_type = true;
	remap.remap_type = REMAP_TYPE__GHOST;
	write_one(f, IMG_KIND_REMAP_FPATH, 0, &remap.base);
	write_one(f, IMG_KIND_GHOST_FILE, 0x1f, &ghost.base);
	filters[1].has_prev = true;
	seccomp.seccomp_filters = chain;
	seccomp.n_seccomp_filters = 2;
	write_one(f, IMG_KIND_SECCOMP, 0, &seccomp.base);
	set.id = 1;
	cgroup.sets = sets;
	cgroup.n_sets = 1;
	write_one(f, IMG_KIND_CGROUP, 0, &cgroup.base);
	write_pipe_data(f, 5);
}

static void write_pages(struct fixture *f, enum img_kind kind, uint64_t id, uint32_t pages_id,
			uint64_t vaddr, uint64_t n, uint32_t flags)
{
	cleanup_pagemap_writer struct pagemap_writer w = PAGEMAP_WRITER_INIT;
	char page[PAGEMAP_PAGE] = { 0 };

	assert_int_equal(pagemap_create(&w, f->dir, kind, id, pages_id, &f->err), 0);
	assert_int_equal(pagemap_add(&w, vaddr, n, flags, &f->err), 0);
	for (uint64_t i = 0; i < n && (flags & PE_PRESENT); i++)
		assert_int_equal(fd_write_all(w.pages_fd, page, sizeof(page)), 0);
	assert_int_equal(pagemap_finish(&w, &f->err), 0);
}

static void write_mm(struct fixture *f, uint64_t second_start, uint64_t file_id)
{
	VmaEntry vmas[3] = { VMA_ENTRY__INIT, VMA_ENTRY__INIT, VMA_ENTRY__INIT };
	VmaEntry *list[] = { &vmas[0], &vmas[1], &vmas[2] };
	MmEntry mm = MM_ENTRY__INIT;

	vmas[0].start = 0x1000;
	vmas[0].end = 0x3000;
	vmas[0].status = 1u << 6;
	vmas[0].shmid = file_id;
	vmas[1].start = second_start;
	vmas[1].end = 0x5000;
	vmas[2].start = 0x1000; /* guard pages inside the first */
	vmas[2].end = 0x2000;
	vmas[2].status = 1u << 16;
	mm.vmas = list;
	mm.n_vmas = 3;
	mm.exe_file_id = 1;
	write_one(f, IMG_KIND_MM, 1, &mm.base);
}

static void write_memory(struct fixture *f)
{
	write_mm(f, 0x3000, 1);
	write_pages(f, IMG_KIND_PAGEMAP, 1, 1, 0x2000, 2, PE_PRESENT);
	write_pages(f, IMG_KIND_PAGEMAP_SHMEM, 6, 2, 0, 1, PE_PRESENT);
}

static void write_all(struct fixture *f)
{
	write_tree(f);
	write_files(f);
	write_objects(f);
	write_memory(f);
}

/* ---- findings ---- */

struct findings {
	int n;
	char last[ERROR_TEXT_MAX];
};

static void note(void *arg, const struct error *finding)
{
	struct findings *findings = arg;

	findings->n++;
	(void)snprintf(findings->last, sizeof(findings->last), "%s", finding->text);
}

static int look(struct fixture *f, struct findings *findings)
{
	struct verify_summary summary;
	int n = verify_folder(f->dir, note, findings, &summary, &f->err);

	if (n > 0)
		assert_int_equal(n, findings->n);
	return n;
}

static void what_fits_has_no_findings(void **state)
{
	struct fixture *f = *state;
	struct verify_summary summary = { 0 };
	struct findings findings = { 0 };
	int n;

	write_all(f);
	n = verify_folder(f->dir, note, &findings, &summary, &f->err);
	if (n > 0)
		fail_msg("%s", findings.last);
	assert_int_equal(n, 0);
	assert_int_equal(summary.images, 21);
	assert_int_equal(summary.tasks, 2);
	assert_int_equal(summary.threads, 2);
	assert_int_equal(summary.pages, 3);
}

static void a_folder_without_images_is_refused(void **state)
{
	struct fixture *f = *state;
	struct findings findings = { 0 };

	put(f, "notes.txt", "x", 1);
	assert_int_equal(look(f, &findings), -ENOENT);
	assert_int_equal(findings.n, 0);
}

/* Each file in turn is lost. What can be absent in a whole folder is told apart. */
static void a_lost_file_is_missed(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"inventory.img",
		"pstree.img",
		"core-1.img",
		"core-2.img",
		"core-3.img",
		"ids-1.img",
		"fs-1.img",
		"mm-1.img",
		"pagemap-1.img",
		"pages-1.img",
		"pagemap-shmem-6.img",
		"pages-2.img",
		"memfd.img",
		"tty-info.img",
		"ghost-file-1f.img",
		"seccomp.img",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct findings findings = { 0 };

		write_all(f);
		assert_int_equal(unlinkat(f->dir, names[i], 0), 0);
		if (look(f, &findings) <= 0)
			fail_msg("nobody missed %s", names[i]);
	}
}

static void check_finding(struct fixture *f, const char *text)
{
	struct findings findings = { 0 };

	assert_true(look(f, &findings) > 0);
	if (!strstr(findings.last, text))
		fail_msg("found '%s', wanted '%s'", findings.last, text);
	write_all(f);
}

static void broken_references_are_named(void **state)
{
	struct fixture *f = *state;

	write_all(f);
	write_pipe_data(f, 6);
	check_finding(f, "pipes-data.img: record 0: pipe 0x6 is missing");
	write_mm(f, 0x3000, 99);
	check_finding(f, "mm-1.img: mapping 0x1000-0x3000: file 0x63 is missing");
	write_mm(f, 0x2000, 1);
	check_finding(f, "mm-1.img: mapping 0x2000-0x5000: overlaps the one before");
	write_mm(f, 0x4000, 1);
	check_finding(f, "pagemap-1.img: run 0: page 0x3000 is in no mapping of mm-1.img");
	write_pages(f, IMG_KIND_PAGEMAP, 1, 1, 0x2000, 1, PE_PARENT);
	check_finding(f, "pagemap-1.img: run 0: is in the parent folder's images");
	write_pages(f, IMG_KIND_PAGEMAP_SHMEM, 6, 1, 0, 1, PE_PRESENT);
	put(f, "pages-1.img", (char[2 * PAGEMAP_PAGE]){ 0 }, (size_t)2 * PAGEMAP_PAGE);
	assert_int_equal(unlinkat(f->dir, "pages-2.img", 0), 0);
	check_finding(f, "pages-1.img: two pagemaps lay claim to it");
	put(f, "pages-3.img", "", 0);
	check_finding(f, "pages-3.img: no pagemap says what it is");
	assert_int_equal(unlinkat(f->dir, "pages-3.img", 0), 0);
	put(f, "pages-1.img", "short", 5);
	check_finding(f, "has 5 bytes, its pagemap wants 2 pages");
}

static void damage_inside_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct findings findings = { 0 };

	write_all(f);
	put(f, "mm-1.img", "not an image", 12);
	assert_int_equal(look(f, &findings), 1);
	assert_non_null(strstr(findings.last, "image 'mm-1.img': is not a MM image"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_fits_has_no_findings),  TEST(a_folder_without_images_is_refused),
		TEST(a_lost_file_is_missed),	  TEST(broken_references_are_named),
		TEST(damage_inside_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
