#!/usr/bin/env bats
# cryopod container checkpoint and restore
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

LOOP='i=0; while true; do echo $i; i=$((i + 1)); sleep 0.02; done'

start_looper() { # name
	cryopod run -d --name "$1" "$IMAGE" sh -c "$LOOP" >/dev/null
	wait_for log_lines "$1" 3
}

# After a restore: more lines than before, and each number once.
assert_goes_on() { # name
	local before
	before=$(cryopod logs "$1" | wc -l)
	wait_for log_lines "$1" $((before + 3))
	cryopod logs "$1" >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}

field() { cryopod inspect --format "{{.State.$2}}" "$1"; }

@test "to disk and back, the count goes on" {
	start_looper c1
	id=$(cryopod inspect --format '{{.Id}}' c1)
	pid=$(field c1 Pid)
	run -0 cryopod container checkpoint c1
	assert_equal "$output" c1
	process_gone "$pid"
	run -0 cryopod ps -a --format '{{.Status}}'
	assert_has "Exited (0)"
	assert_equal "$(cryopod inspect --format '{{.State.Status}}:{{.State.Running}}:{{.State.Paused}}:{{.State.Checkpointed}}' c1)" \
		exited:false:false:true
	[ -s "$TEST_DIR/root/containers/$id/userdata/checkpoint/inventory.img" ]
	[ ! -e "$TEST_DIR/root/containers/$id/userdata/dump.log" ]
	[ -d "$TEST_DIR/root/containers/$id/upper" ]
	still=$(cryopod logs c1 | wc -l)
	assert_equal "$(cryopod logs c1 | wc -l)" "$still" lines
	run -0 cryopod container restore c1
	assert_equal "$output" c1
	assert_equal "$(field c1 Status)" running
	assert_equal "$(field c1 Restored)" true
	[ ! -e "$TEST_DIR/root/containers/$id/userdata/checkpoint" ]
	assert_goes_on c1
}

@test "output goes to the log although it was redirected at the checkpoint" {
	cryopod run -d --name c1 --network none "$IMAGE" sh -c \
		'echo before; { echo ready >/begun; while [ ! -e /go ]; do sleep 0.1; done; } >/dev/null; echo after; echo problem >&2'
	wait_for cryopod exec c1 test -e /begun
	for _ in 1 2; do
		cryopod container checkpoint c1
		cryopod container restore c1
	done
	cryopod exec c1 touch /go
	assert_equal "$(cryopod wait c1)" 0 "exit code"
	run cryopod logs c1
	assert_has after
	assert_has problem
}

@test "--keep keeps images and logs, and says where" {
	start_looper c1
	run -0 cryopod container checkpoint --keep c1
	[ -s "$(field c1 CheckpointLog)" ]
	[[ $(field c1 CheckpointPath) = */userdata/checkpoint ]]
	run -0 cryopod container restore --keep c1
	[ -s "$(field c1 RestoreLog)" ]
	[ -s "$(field c1 CheckpointPath)/inventory.img" ]
	assert_goes_on c1
	cryopod stop -t 0 c1
	cryopod start c1
	run -125 cryopod inspect --format '{{.State.CheckpointPath}}' c1
	run -125 cryopod inspect --format '{{.State.Restored}}' c1
}

@test "-l is the latest, -a all; ids are printed" {
	start_looper c1
	start_looper c2
	run -0 cryopod container checkpoint -l
	assert_equal "$output" "$(cryopod inspect --format '{{.Id}}' c2)"
	assert_equal "$(field c1 Status)" running
	run -0 cryopod container restore -l
	run -0 cryopod container checkpoint -a
	assert_equal "${#lines[@]}" 2 lines
	run -0 cryopod ps -q
	assert_equal "$output" "" running
	run -0 cryopod container restore -a
	assert_equal "${#lines[@]}" 2 lines
	assert_goes_on c1
	assert_goes_on c2
	cryopod kill -a >/dev/null
	run -0 cryopod container checkpoint -a
	assert_equal "$output" ""
}

@test "--leave-running: it runs on, and the checkpoint can be restored later" {
	start_looper c1
	pid=$(field c1 Pid)
	run -0 cryopod container checkpoint --leave-running c1
	assert_equal "$(field c1 Pid)" "$pid" pid
	assert_equal "$(field c1 Status)" running
	assert_goes_on c1
	cryopod stop -t 0 c1
	run -0 cryopod container restore c1
	assert_equal "$(field c1 Status)" running
}

@test "--print-stats is JSON: the whole is longer than its parts" {
	start_looper c1
	run -0 cryopod container checkpoint --print-stats c1
	jq -e '.podman_checkpoint_duration > .container_statistics[0].runtime_checkpoint_duration' <<<"$output"
	jq -e '.container_statistics[0] | .runtime_checkpoint_duration > .criu_statistics.frozen_time' <<<"$output"
	jq -e '.container_statistics[0].criu_statistics.pages_written > 0' <<<"$output"
	run -0 cryopod container restore --print-stats c1
	jq -e '.podman_restore_duration > .container_statistics[0].runtime_restore_duration' <<<"$output"
	jq -e '.container_statistics[0] | .runtime_restore_duration > .criu_statistics.restore_time' <<<"$output"
}

@test "the log goes on after a second round, files and /dev/shm are kept" {
	cryopod run -d --name c1 "$IMAGE" sh -c "echo kept >/dev/shm/file; echo kept >/file; $LOOP" >/dev/null
	wait_for log_lines c1 3
	for _ in 1 2; do
		cryopod container checkpoint c1 >/dev/null
		cryopod container restore c1 >/dev/null
		assert_goes_on c1
	done
	run -0 cryopod exec c1 cat /dev/shm/file /file
	assert_equal "$output" "kept
kept"
}

@test "a checkpointed container can be started afresh, stopped, removed" {
	start_looper c1
	cryopod container checkpoint c1 >/dev/null
	run -125 cryopod pause c1
	assert_has "\"exited\" is not running, can't pause"
	run -255 cryopod exec c1 true
	run -125 cryopod kill c1
	run -0 cryopod stop c1
	run -0 cryopod start c1
	run -125 cryopod inspect --format '{{.State.Checkpointed}}' c1
	cryopod stop -t 0 c1 >/dev/null
	run -0 cryopod container restore c1
	run -0 cryopod rm -f -t 0 c1
}

@test "a container restored can be waited for, attached to, executed in" {
	cryopod run -d -i --name c1 "$IMAGE" sh -c 'while read x; do echo "heard $x"; [ "$x" != bye ] || exit 4; done' >/dev/null
	cryopod container checkpoint c1 >/dev/null
	cryopod container restore c1 >/dev/null
	run -0 cryopod exec c1 echo inside
	assert_equal "$output" inside
	code=0
	printf 'hello\nbye\n' | cryopod attach c1 >"$TEST_DIR/out" || code=$?
	assert_equal "$code" 4 "exit code"
	assert_equal "$(tail -n 1 "$TEST_DIR/out")" "heard bye"
	run -0 cryopod wait c1
	assert_equal "$output" 4
}

@test "damaged or missing images: one line, nothing left, and again with good ones" {
	start_looper c1
	cryopod container checkpoint c1 >/dev/null
	id=$(cryopod inspect --format '{{.Id}}' c1)
	images=$TEST_DIR/root/containers/$id/userdata/checkpoint
	mounts=$(leftover_mounts) # the root stays mounted for the restore
	for image in "$images"/core-1.img "$images"/pstree.img; do
		cp "$image" "$TEST_DIR/good"
		head -c 10 "$TEST_DIR/good" >"$image"
		run -125 cryopod container restore c1
		assert_has "Error: "
		assert_equal "$(field c1 Status)" exited
		wait_for no_leftover_processes
		assert_equal "$(leftover_mounts)" "$mounts" mounts
		cp "$TEST_DIR/good" "$image"
	done
	mv "$images/pagemap-1.img" "$TEST_DIR/good"
	run -125 cryopod container restore c1
	mv "$TEST_DIR/good" "$images/pagemap-1.img"
	run -0 cryopod container restore c1
	assert_goes_on c1
}

@test "rules of checkpoint" {
	cryopod create --name c1 "$IMAGE" true >/dev/null
	cryopod run -d --rm --name gone "$IMAGE" sleep 100 >/dev/null
	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086 # the words of a command line
		run -125 cryopod container checkpoint $words
		assert_has "$text"
	done <<-EOF
		|you must provide at least one name or id
		-a c1|no arguments are needed with --all
		-a -l|--all and --latest cannot be used together
		-l c1|--latest and containers cannot be used together
		--compress zstd c1|--compress can only be used with --export
		--ignore-rootfs c1|--ignore-rootfs can only be used with --export
		--ignore-volumes c1|--ignore-volumes can only be used with --export
		-P --with-previous c1|--with-previous can not be used with --pre-checkpoint
		nope|no container with name or ID "nope" found: no such container
		c1|"created" is not running, cannot checkpoint: container state improper
		gone|cannot checkpoint containers that have been started with '--rm' unless '--export' is used
		--frob c1|unknown flag: --frob
	EOF
	run -0 cryopod ps -q
	assert_equal "${#lines[@]}" 1 running
}

@test "rules of restore" {
	start_looper c1
	cryopod create --name c2 "$IMAGE" true >/dev/null
	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086 # the words of a command line
		run -125 cryopod container restore $words
		assert_has "$text"
	done <<-EOF
		|you must provide at least one name or id
		-a -l|--all and --latest cannot be used together
		-l c1|--all or --latest and containers cannot be used together
		--name x c1|--name can only be used with image or --import
		--ignore-rootfs c1|--ignore-rootfs can only be used with image or --import
		-p 80:80 c1|--publish can only be used with image or --import
		nope|no such container or image: nope
		c1|is running or paused, cannot restore: container state improper
		c2|a complete checkpoint for this container cannot be found, cannot restore
	EOF
	assert_goes_on c1
}

@test "--check lists all that stands in the way, and touches nothing" {
	start_looper c1
	run -0 cryopod container checkpoint --check c1
	assert_equal "$output" "c1: nothing stands in the way of a checkpoint"
	# Two that exec brought in, and a deleted file that is too large.
	cryopod run -d --name c2 "$IMAGE" sh -c "exec 5<>/big; rm /big; head -c 2000000 /dev/zero >&5; exec sleep 1000" >/dev/null
	wait_for file_has "/proc/$(field c2 Pid)/comm" sleep
	cryopod exec -d c2 sleep 1001 >/dev/null
	cryopod exec -d c2 sleep 1002 >/dev/null
	pid=$(field c2 Pid)
	run -125 --separate-stderr cryopod container checkpoint --check c2
	assert_equal "$(grep -c '^c2: process .* (sleep) was brought into the container by exec' <<<"$output")" 2
	assert_has "fd 5: deleted file '/big (deleted)' has"
	assert_has "
  hint: raise the limit"
	assert_equal "${#lines[@]}" 6 lines
	[[ $stderr = *"3 obstacles to a checkpoint of container"* ]]
	assert_equal "$(field c2 Status):$(field c2 Pid)" "running:$pid"
	[ -z "$(find "$TEST_DIR/root/containers" -path '*/userdata/checkpoint*')" ]
	# Each of all is told; --check is not mixed up with the real thing.
	run -125 --separate-stderr cryopod container checkpoint --check --all
	assert_has "c1: nothing stands in the way"
	assert_has "c2: process"
	assert_equal "$(field c1 Status)" running
	for option in --leave-running --keep --print-stats; do
		run -125 cryopod container checkpoint --check "$option" c1
		assert_has "only looks"
	done
	cryopod kill c1 >/dev/null
	run -125 cryopod container checkpoint --check c1
	assert_has "is not running, cannot checkpoint"
}
