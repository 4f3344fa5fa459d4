load ../../lib/setup

# The house checks find what they are for. Each runs in a copy of what it needs.
setup() {
	TREE=$BATS_TEST_TMPDIR/tree
	mkdir -p "$TREE"/{tools,src/base,src/img,include/cryo,tests}
	cp "$TOP"/tools/check-* "$TREE/tools/"
	cp "$TOP/ARCHITECTURE.md" "$TREE/"
	printf 'base\n' >"$TREE/src/base/README"
	printf 'img\n' >"$TREE/src/img/README"
	printf '#pragma once\nint a(void);\n' >"$TREE/src/base/a.h"
	printf '#include "base/a.h"\n\nint a(void)\n{\n\treturn 0;\n}\n' >"$TREE/src/base/a.c"
	cp "$TREE/src/base/a.c" "$TREE/src/img/b.c"
}

finds() { # CHECK TEXT
	run "$TREE/tools/check-$1"
	assert_status 1
	assert_has "$2"
}

@test "a clean tree passes" {
	for check in layers size rooms words headers; do "$TREE/tools/check-$check"; done
}

@test "check-layers finds an include against the law, and one without its room" {
	echo '#include "img/c.h"' >>"$TREE/src/base/a.c"
	finds layers 'room base must not include "img/c.h"'
	echo '#include "a.h"' >"$TREE/src/base/a.c"
	finds layers 'as "base/a.h"'
	mkdir "$TREE/src/attic"
	echo 'int x;' >"$TREE/src/attic/x.c"
	finds layers '"attic" is not in the layer table'
}

@test "check-size finds a file of more than 1000 lines" {
	yes '/* */' | head -n 1001 >"$TREE/src/base/a.c"
	finds size "1000 is the limit"
}

@test "check-rooms finds a room without a README" {
	rm "$TREE/src/img/README"
	finds rooms "no README"
}

@test "check-words finds banned calls, drawers and unfinished marks" {
	printf 'void f(char *a);\nvoid f(char *a)\n{\n\tstrcpy(a, "strcat(");\n\texit(1); /* atoi( */\n}\n' >"$TREE/src/base/a.c"
	finds words "banned here: exit strcpy"
	assert_has_not atoi
	assert_has_not strcat
	cp "$TREE/src/img/b.c" "$TREE/src/base/util.c"
	finds words "util.c: a drawer"
	# The mark is put together, lest this file bears it.
	printf '/* TO%s: later */\n' DO >>"$TREE/src/img/b.c"
	finds words "name the issue"
}

@test "check-headers finds a header that does not compile alone" {
	printf '#pragma once\nint f(size_t n);\n' >"$TREE/src/base/a.h"
	finds headers "a.h: does not compile alone"
}

@test "tests/run says what failed, counts, and turns skips into failures when they must run" {
	mkdir -p "$BATS_TEST_TMPDIR/t/tests/cli/x"
	cp "$TOP/tests/run" "$BATS_TEST_TMPDIR/t/tests/"
	# bats would take a line that begins with its own word for a test of this file.
	printf '@%s\n' 'test "good" { true; }' 'test "bad" { echo because; false; }' \
		'test "not here" { skip "no such thing"; }' >"$BATS_TEST_TMPDIR/t/tests/cli/x/y.bats"
	run env -u MUST_RUN -u CI "$BATS_TEST_TMPDIR/t/tests/run" cli
	assert_status 1
	assert_has "because"
	assert_has "no such thing"
	assert_equal "${lines[-1]}" "1 passed, 1 failed, 1 skipped"
	run env CI=true "$BATS_TEST_TMPDIR/t/tests/run" cli
	assert_status 1
	assert_equal "${lines[-1]}" "1 passed, 2 failed, 0 skipped"
}

@test "a test file that hangs is killed at its deadline and named" {
	mkdir -p "$BATS_TEST_TMPDIR/t/tests/cli/x"
	cp "$TOP/tests/run" "$BATS_TEST_TMPDIR/t/tests/"
	printf '@%s\n' 'test "hangs" { sleep 100; }' >"$BATS_TEST_TMPDIR/t/tests/cli/x/y.bats"
	run env -u BATS_TEST_TIMEOUT TEST_FILE_TIMEOUT=1 "$BATS_TEST_TMPDIR/t/tests/run" cli
	assert_status 1
	assert_has "cli/x/y: killed at the deadline of 1 s"
}

@test "make install puts programs and manual below DESTDIR and PREFIX" {
	make -s -C "$TOP" install BUILD="$BIN/.." DESTDIR="$BATS_TEST_TMPDIR/to" PREFIX=/opt
	for program in cryo cryorun cryopod; do
		"$BATS_TEST_TMPDIR/to/opt/bin/$program" --version
	done
	[ -s "$BATS_TEST_TMPDIR/to/opt/share/man/man1/cryo.1" ]
	[ -s "$BATS_TEST_TMPDIR/to/opt/share/man/man8/cryorun.8" ]
}
