#include "cmd/cryopod/open.h"

#include "cmd/cryopod/program.h"

int program_open(const struct program *program, struct pod *ret, struct error *err)
{
	const struct pod_settings settings = {
		.root = program->root,
		.runroot = program->runroot,
		.tmpdir = program->tmpdir,
		.runtime = program->runtime,
		.runtime_flags = &program->runtime_flags,
		.conmon = program->conmon,
	};

	return pod_open(&settings, ret, err);
}
