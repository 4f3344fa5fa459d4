#!/usr/bin/env bats
# cryopod run: options, exit codes, foreground and background
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "the container's exit code is ours" {
	run -7 cryopod run --rm "$IMAGE" sh -c 'exit 7'
	run -137 cryopod run --rm "$IMAGE" sh -c 'sh -c "kill -9 \$\$"; exit $?'
	run -127 cryopod run --rm "$IMAGE" no-such-program
	assert_has "executable file not found"
	run -126 cryopod run --rm "$IMAGE" /etc
	run -125 cryopod run --rm --frob "$IMAGE" true
	run -125 cryopod run
}

@test "output and errors stay apart, nothing of them is lost" {
	cryopod run --rm "$IMAGE" sh -c 'seq 1 20000; seq 1 3000 >&2' >"$TEST_DIR/out" 2>"$TEST_DIR/err"
	seq 1 20000 | cmp - "$TEST_DIR/out"
	seq 1 3000 | cmp - "$TEST_DIR/err"
}

@test "-i passes standard input on, to its end" {
	seq 1 5000 >"$TEST_DIR/in"
	cryopod run -i --rm "$IMAGE" cat <"$TEST_DIR/in" >"$TEST_DIR/out"
	cmp "$TEST_DIR/in" "$TEST_DIR/out"
	run -0 cryopod run --rm "$IMAGE" cat <"$TEST_DIR/in"
	assert_equal "$output" "" "input without -i"
}

@test "-t gives a terminal" {
	# Not script(1): it stops reading 10 ms after the program's end, which loses output on a busy machine.
	run -0 python3 "$TOP/tests/lib/terminal.py" 'expect:/dev/pts/0' end:0 -- \
		"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" run -it --rm "$IMAGE" tty
}

@test "-d prints the id and returns while it runs" {
	run -0 cryopod run -d --name c1 "$IMAGE" sleep 100
	[[ $output =~ ^[0-9a-f]{64}$ ]]
	run -0 cryopod ps -q
	assert_equal "${#lines[@]}" 1 running
}

@test "--rm removes it at its end, in the background too" {
	run -0 cryopod run --rm "$IMAGE" true
	run -0 cryopod ps -aq
	assert_equal "$output" ""
	cryopod run -d --rm --name c1 "$IMAGE" sh -c 'exit 3' >/dev/null
	gone() { ! cryopod container exists c1; }
	wait_for gone
	run -127 cryopod run -d --rm "$IMAGE" no-such-program
	run -0 cryopod ps -aq
	assert_equal "$output" ""
}

@test "environment: image, -e, --env-file, our own" {
	printf '# comment\nFROM_FILE=1\n\nBOTH=file\n' >"$TEST_DIR/env"
	OURS=inherited run -0 cryopod run --rm --env-file "$TEST_DIR/env" -e BOTH=option -e OURS \
		-e UNSET_HERE -e 'SPACES=a b' "$IMAGE" env
	assert_has "FROM_FILE=1"
	assert_has "BOTH=option"
	assert_has "OURS=inherited"
	assert_has "SPACES=a b"
	assert_has "HOME=/root"
	assert_has_not "UNSET_HERE"
}

@test "-w, -u, --hostname, --entrypoint" {
	run -0 cryopod run --rm -w /etc "$IMAGE" pwd
	assert_equal "$output" /etc
	run -125 cryopod run --rm -w /no/such/folder "$IMAGE" pwd
	assert_has 'workdir "/no/such/folder" does not exist'
	run -0 cryopod run --rm -u 1234:99 "$IMAGE" id
	assert_has "uid=1234 gid=99"
	run -125 cryopod run --rm -u no-such-user "$IMAGE" id
	assert_has "unable to find user no-such-user: no matching entries in passwd file"
	run -0 cryopod run --rm --hostname frost "$IMAGE" sh -c 'hostname; cat /etc/hostname'
	assert_equal "$output" "frost
frost"
	run -0 cryopod run --rm --entrypoint echo "$IMAGE" from entrypoint
	assert_equal "$output" "from entrypoint"
	run -0 cryopod run --rm --entrypoint '["echo", "two words"]' "$IMAGE" more
	assert_equal "$output" "two words more"
}

@test "-v binds folders, ro is ro; named volumes keep what was written" {
	mkdir -p "$TEST_DIR/bound"
	echo outside >"$TEST_DIR/bound/file"
	run -0 cryopod run --rm -v "$TEST_DIR/bound:/b" "$IMAGE" sh -c 'cat /b/file; echo in >/b/new'
	assert_equal "$output" outside
	assert_equal "$(cat "$TEST_DIR/bound/new")" in
	run -1 cryopod run --rm -v "$TEST_DIR/bound:/b:ro" "$IMAGE" touch /b/no
	assert_has "Read-only file system"
	run -0 cryopod run --rm -v vol1:/data "$IMAGE" sh -c 'echo kept >/data/x'
	run -0 cryopod run --rm -v vol1:/data "$IMAGE" cat /data/x
	assert_equal "$output" kept
	run -0 cryopod run --rm --mount "type=bind,src=$TEST_DIR/bound,dst=/m,ro" "$IMAGE" cat /m/file
	assert_equal "$output" outside
	run -125 cryopod run --rm -v /no/such/folder:/b "$IMAGE" true
	assert_has "/no/such/folder"
}

@test "a new named volume begins with what the image has there" {
	run -0 cryopod run --rm -v copied:/etc "$IMAGE" grep root /etc/passwd
	assert_has "root:"
}

@test "--tmpfs and --read-only" {
	run -0 cryopod run --rm --tmpfs /scratch:size=1m "$IMAGE" sh -c 'grep " /scratch " /proc/mounts'
	assert_has "tmpfs /scratch tmpfs"
	assert_has "size=1024k"
	run -1 cryopod run --rm --read-only "$IMAGE" touch /file
	assert_has "Read-only file system"
	run -0 cryopod run --rm --read-only "$IMAGE" touch /tmp/file
	run -0 cryopod run --name again -u 1000 --tmpfs /new "$IMAGE" touch /new/file
	run -0 cryopod start -a again
	run -0 cryopod rm again
}

@test "capabilities: the default ones, added, dropped, all" {
	cap() { cryopod run --rm "$@" "$IMAGE" grep CapEff /proc/self/status | cut -f2; }
	assert_equal "$(cap)" 00000000800405fb default
	assert_equal "$(cap --cap-drop all)" 0000000000000000 "dropped all"
	assert_equal "$(cap --cap-drop all --cap-add net_raw)" 0000000000002000 "net_raw alone"
	assert_equal "$(cap --cap-drop CAP_CHOWN)" 00000000800405fa "without chown"
	assert_equal "$(cap -u 1000)" 0000000000000000 "not root"
	assert_equal "$(cap --privileged)" "$(grep CapBnd /proc/self/status | cut -f2)" privileged
}

@test "seccomp and masked paths, and both gone with --privileged" {
	run -0 cryopod run --rm "$IMAGE" grep '^Seccomp:' /proc/self/status
	assert_has 2
	run -1 cryopod run --rm "$IMAGE" unshare -U true
	assert_has "Operation not permitted"
	run -0 cryopod run --rm --security-opt seccomp=unconfined "$IMAGE" grep '^Seccomp:' /proc/self/status
	assert_has 0
	run -0 cryopod run --rm "$IMAGE" sh -c 'wc -c </proc/keys; ! touch /proc/sys/x 2>/dev/null'
	assert_has 0
	run -0 cryopod run --rm --privileged "$IMAGE" sh -c 'grep -c " /proc/sys " /proc/mounts || true; grep ^Seccomp: /proc/self/status'
	assert_equal "${lines[0]}" 0 "mounts over /proc/sys"
	run -0 cryopod run --rm --security-opt no-new-privileges "$IMAGE" grep NoNewPrivs /proc/self/status
	assert_has 1
}

@test "networks: none has its own loopback, host is the host's" {
	run -0 cryopod run --rm "$IMAGE" sh -c 'ls /sys/class/net; cat /sys/class/net/lo/flags'
	assert_equal "$output" "lo
0x9" "loopback alone, and up"
	run -0 cryopod run --rm --network host "$IMAGE" readlink /proc/self/ns/net
	assert_equal "$output" "$(readlink /proc/self/ns/net)"
	run -0 cryopod run --rm "$IMAGE" readlink /proc/self/ns/net
	[ "$output" != "$(readlink /proc/self/ns/net)" ]
}

@test "--pid host sees us" {
	run -0 cryopod run --rm --pid host "$IMAGE" readlink /proc/self/ns/pid
	assert_equal "$output" "$(readlink /proc/self/ns/pid)"
}

@test "SIGTERM for us goes to the container" {
	"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" run --rm --name c1 "$IMAGE" \
		sh -c 'trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.05; done' \
		>"$TEST_DIR/out" 2>&1 3>&- &
	pid=$!
	wait_for file_has "$TEST_DIR/out" ready
	kill -TERM "$pid"
	code=0
	wait "$pid" || code=$?
	assert_equal "$code" 5 "exit code"
	assert_equal "$(tail -n 1 "$TEST_DIR/out")" caught
}
