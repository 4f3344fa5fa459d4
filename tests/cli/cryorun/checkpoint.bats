load bundle
setup_file() { test_begin; bundles_begin; }
teardown_file() { test_end; }
teardown() { containers_end; }

LOOP='i=0; while :; do echo $i; i=$((i + 1)); sleep 0.05; done'

# The looper, writing to a FIFO that outlives it: its pipe is replugged at the restore.
begin_loop() { # [JQ-FILTER...]
	rm -rf "$TEST_DIR/c"
	script_bundle c "$LOOP" "$@"
	pipe_to_log cryorun create --bundle "$TEST_DIR/c" c
	cryorun start c
	wait_for file_has "$TEST_DIR/c/log" '^3$'
}

# Runs a command whose standard output and error are a pipe into the log.
pipe_to_log() {
	"$@" </dev/null > >(exec cat >>"$TEST_DIR/c/log" 3>&-) 2>&1
}

checkpoint() { cryorun checkpoint --image-path "$TEST_DIR/c/img" --work-path "$TEST_DIR/c/work" "$@" c; }
restore() {
	pipe_to_log cryorun restore --detach --bundle "$TEST_DIR/c" --image-path "$TEST_DIR/c/img" \
		--work-path "$TEST_DIR/c/work" "$@" c
}
in_network_of() { nsenter --net="/proc/$1/ns/net" "${@:2}"; }
lines_more_than() { [ "$(wc -l <"$TEST_DIR/c/log")" -gt "$1" ]; }
goes_on() { wait_for lines_more_than $(($(wc -l <"$TEST_DIR/c/log") + 3)); }

@test "a container goes on where it was, three times in a row" {
	begin_loop
	for _ in 1 2 3; do
		init=$(init_of c)
		checkpoint
		wait_for process_gone "$init"
		run cryorun state c
		assert_status 1
		restore --pid-file "$TEST_DIR/c/pid"
		assert_equal "$(status_of c)" running
		assert_equal "$(cat "$TEST_DIR/c/pid")" "$(init_of c)"
		goes_on
	done
	cryorun kill c KILL
	wait_for is_status c stopped
	assert_sequence "$TEST_DIR/c/log"
	jq -e 'length == 3' "$TEST_DIR/c/img/descriptors.json"
	for f in dump.log restore.log stats-dump stats-restore; do [ -s "$TEST_DIR/c/work/$f" ]; done
	assert_equal "$(stat -c %a "$TEST_DIR/c/img")" 700
}

@test "groups, host name, mounts and network of the restored are the container's" {
	mkdir -p "$TEST_DIR/data"
	begin_loop '.hostname = "frost"' '.linux.resources.pids = {limit: 44}' \
		".mounts += [{destination: \"/tmp\", source: \"$TEST_DIR/data\", options: [\"rbind\"]}]"
	cryorun exec c sh -c 'echo kept >/dev/shm/file'
	in_network_of "$(init_of c)" ip addr add 10.11.12.13/24 dev lo
	in_network_of "$(init_of c)" ip route add 10.99.0.0/16 dev lo
	seen='hostname; cat /dev/shm/file; ip -o link | grep -c LOOPBACK,UP; mount | sort; ip -4 addr show dev lo; ip route'
	before=$(cryorun exec c sh -c "$seen")
	checkpoint
	restore
	assert_equal "$(cryorun exec c sh -c "$seen")" "$before"
	cryorun exec c touch /tmp/made
	[ -e "$TEST_DIR/data/made" ]
	assert_equal "$(cryorun events --stats c | jq .data.pids.limit)" 44
	cryorun pause c
	assert_equal "$(status_of c)" paused
	cryorun resume c
	goes_on
}

@test "a volume with mounts of its own, and what the container has mounted there" {
	mkdir -p "$TEST_DIR/volume/sub" "$TEST_DIR/volume/own"
	mount -t tmpfs live "$TEST_DIR/volume/sub"
	echo outside >"$TEST_DIR/volume/sub/file"
	begin_loop ".mounts += [{destination: \"/mnt\", source: \"$TEST_DIR/volume\", options: [\"rbind\"]}]" \
		'.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
	cryorun exec c sh -c 'mount -t tmpfs live /mnt/own && echo inside >/mnt/own/file'
	checkpoint
	restore
	goes_on
	assert_equal "$(cryorun exec c cat /mnt/sub/file /mnt/own/file | tr '\n' ,)" "outside,inside,"
	echo later >"$TEST_DIR/volume/sub/file"
	assert_equal "$(cryorun exec c cat /mnt/sub/file)" later
	cryorun delete --force c
	umount "$TEST_DIR/volume/sub"
	[ -z "$(ls "$TEST_DIR/volume/own")" ] || fail "the container's own mount was outside"
}

@test "a container in a user namespace comes back with the ids it sees" {
	chmod 711 "$TEST_DIR" # root in there is another user out here
	cp -a "$TEST_DIR/rootfs" "$TEST_DIR/rootfs.mapped"
	chown -R 200000:200000 "$TEST_DIR/rootfs.mapped"
	begin_loop '.linux.namespaces += [{type: "user"}]' \
		".root.path = \"$TEST_DIR/rootfs.mapped\"" \
		'.linux.uidMappings = [{containerID: 0, hostID: 200000, size: 65536}]' \
		'.linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]'
	cryorun exec c sh -c 'echo x >/dev/shm/file'
	seen='cat /proc/self/uid_map; id; stat -c %u:%g /dev/shm/file; grep Cap /proc/1/status; mount | sort'
	before=$(cryorun exec c sh -c "$seen")
	checkpoint
	restore
	goes_on
	assert_equal "$(cryorun exec c sh -c "$seen")" "$before"
	assert_equal "$(stat -c %u "/proc/$(init_of c)")" 200000
}

@test "a container without a cgroup namespace comes back, too" {
	begin_loop '.linux.namespaces |= map(select(.type != "cgroup"))'
	before=$(cat "/proc/$(init_of c)/cgroup")
	checkpoint
	restore
	assert_equal "$(cat "/proc/$(init_of c)/cgroup")" "$before"
	goes_on
}

@test "--leave-running leaves it running" {
	begin_loop
	init=$(init_of c)
	checkpoint --leave-running --leave-running
	assert_equal "$(init_of c)" "$init"
	goes_on
	cryorun kill c KILL
	wait_for is_status c stopped
	assert_sequence "$TEST_DIR/c/log"
}

@test "what is not running is not checkpointed" {
	bundle c
	create c
	run checkpoint
	assert_status 1
	assert_has "container not running: 'c' is created"
	cryorun start c
	cryorun pause c
	run checkpoint
	assert_status 1
	assert_has "container is paused"
	cryorun delete --force c
	run checkpoint
	assert_status 1
	assert_has "container does not exist"
}

@test "a refused checkpoint leaves it running, and the log says why" {
	begin_loop
	run cryorun checkpoint --lazy-pages c
	assert_status 1
	assert_has "--lazy-pages is not supported"
	# Not a child of anything in there, so not in the tree that is saved.
	cryorun exec --detach c sleep 1000 </dev/null >/dev/null 2>&1
	run checkpoint
	assert_status 1
	assert_has "(sleep) was brought into the container by exec"
	grep -q Error "$TEST_DIR/c/work/dump.log"
	assert_equal "$(status_of c)" running
	goes_on
}

@test "a restore from damaged or missing images leaves nothing and says what" {
	begin_loop
	checkpoint
	cp -r "$TEST_DIR/c/img" "$TEST_DIR/c/good"
	for file in inventory.img pstree.img core-1.img mm-1.img pages-1.img descriptors.json; do
		rm -rf "$TEST_DIR/c/img"
		cp -r "$TEST_DIR/c/good" "$TEST_DIR/c/img"
		truncate -s 9 "$TEST_DIR/c/img/$file"
		run cryorun restore --detach --bundle "$TEST_DIR/c" --image-path "$TEST_DIR/c/img" c
		assert_status 1
		[ -n "$output" ]
		[ ! -e "$TEST_DIR/runtime/c" ]
		rm "$TEST_DIR/c/img/$file"
		run cryorun restore --detach --bundle "$TEST_DIR/c" --image-path "$TEST_DIR/c/img" c
		assert_status 1
		assert_has "$file"
	done
	rm -rf "$TEST_DIR/c/img"
	cp -r "$TEST_DIR/c/good" "$TEST_DIR/c/img"
	restore
	goes_on
}

@test "a name that is taken is not restored over" {
	begin_loop
	checkpoint --leave-running
	run restore
	assert_status 1
	goes_on
	cryorun kill c KILL
	wait_for is_status c stopped
	cryorun delete c
	restore
	goes_on
}

@test "SIGKILL to a checkpoint at any moment leaves the container running" {
	begin_loop
	for delay in 0.001 0.003 0.005 0.007 0.009 0.011 0.013 0.016 0.02 0.03; do
		"$CRYORUN" --root "$TEST_DIR/runtime" checkpoint --leave-running \
			--image-path "$TEST_DIR/c/img" c >/dev/null 2>&1 3>&- &
		saver=$!
		sleep "$delay"
		kill -KILL "$saver" 2>/dev/null || true
		wait "$saver" || true
		assert_equal "$(status_of c)" running
	done
	goes_on
	checkpoint
	restore
	goes_on
	cryorun kill c KILL
	wait_for is_status c stopped
	assert_sequence "$TEST_DIR/c/log"
}

@test "SIGKILL to a restore at any moment leaves nothing that delete --force does not remove" {
	begin_loop
	checkpoint
	for delay in 0.005 0.01 0.015 0.02 0.03 0.04; do
		"$CRYORUN" --root "$TEST_DIR/runtime" restore --detach --bundle "$TEST_DIR/c" \
			--image-path "$TEST_DIR/c/img" c </dev/null >/dev/null 2>&1 3>&- &
		maker=$!
		sleep "$delay"
		kill -KILL "$maker" 2>/dev/null || true
		wait "$maker" || true
		cryorun delete --force c
		[ ! -e "$TEST_DIR/runtime/c" ]
		wait_for no_leftover_processes
	done
	: >"$TEST_DIR/c/log"
	restore
	goes_on
}

@test "--check only lists what can't be saved" {
	begin_loop
	run -0 cryorun checkpoint --check c
	assert_equal "$output" ""
	cryorun exec --detach c sleep 1000
	run -1 --separate-stderr cryorun checkpoint --check c
	assert_has "(sleep) was brought into the container by exec: it can't be saved
  hint: "
	[[ $stderr = *"1 obstacle to a checkpoint of container 'c'"* ]]
	[ ! -e checkpoint ] && [ ! -e "$TEST_DIR/c/img" ]
	goes_on
	run -0 cryorun features
	jq -e '.annotations["io.cryopod.runtime.checkpoint.check"] == "true"' <<<"$output"
}

@test "a container at a terminal: restored in the foreground, the terminal is ours" {
	script_bundle t 'while read -r x; do echo "got <$x> $(stty size)"; done; exit 4' '.process.terminal = true'
	at() { python3 "$TOP/tests/lib/terminal.py" -t 60 -s 33x101 raw: "${@:2}" -- "$CRYORUN" --root "$TEST_DIR/runtime" "$1" \
		--bundle "$TEST_DIR/t" ${restoring:+--image-path "$TEST_DIR/t/img"} t 3>&- >"$TEST_DIR/shown"; }
	restoring=
	at run 'one\r' 'expect:got <one> 33 101' \
		"run:$CRYORUN --root $TEST_DIR/runtime checkpoint --image-path $TEST_DIR/t/img t"
	restoring=yes
	at restore 'two\r' 'expect:got <two> 33 101' size:20x70 'three\r' 'expect:got <three> 20 70' '\x04' end:4
	# Without a place for it, the terminal can't be given back.
	run cryorun restore --detach --bundle "$TEST_DIR/t" --image-path "$TEST_DIR/t/img" t
	assert_status 1
	assert_has "without setting console socket"
}
