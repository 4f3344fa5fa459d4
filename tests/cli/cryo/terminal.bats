# cryo dump and restore at a terminal: a shell's job, terminals that stay outside, what is refused.
# shellcheck disable=SC2016 # programs for another shell

load ../../lib/setup

setup_file() { test_begin; }
teardown_file() { test_end; }
setup() {
	IMG=$(mktemp -d "$TEST_DIR/img.XXXX")
	export IMG
	rm -f "$TEST_DIR"/job*
	cat >"$TEST_DIR/job" <<-'END'
		#!/bin/sh
		echo $$ >"$TEST_DIR/job.pid"
		stty -echo
		while read -r x; do echo "got <$x> $(stty size)"; done
	END
	chmod +x "$TEST_DIR/job"
}
teardown() {
	leftovers_remove
	assert_nothing_left
}

# A shell in a terminal, and a person who plays these steps.
at_shell() {
	python3 "$TOP/tests/lib/terminal.py" -t 30 -s 33x101 'expect:# ' "$@" -- sh -i 3>&- >"$TEST_DIR/shown"
}

JOB='"$TEST_DIR/job"\r'
DUMP='"$CRYO" dump -t "$(cat "$TEST_DIR/job.pid")" -D "$IMG"'
GONE='while [ -e "/proc/$(cat "$TEST_DIR/job.pid")" ]; do sleep 0.05; done'

@test "a job of a shell goes on at the terminal of the shell that restores it" {
	at_shell "$JOB" 'one\r' 'expect:got <one> 33 101' "run:$DUMP --shell-job" 'expect:Killed.*# ' "run:$GONE" \
		'exit\r' end:137
	# Another shell, in another terminal of another size.
	python3 "$TOP/tests/lib/terminal.py" -t 30 -s 20x70 'expect:# ' \
		'"$CRYO" restore -D "$IMG" --shell-job; echo "code $?"\r' 'noecho:' 'two\r' 'expect:\ngot <two> 20 70' \
		'\x03' 'expect:code [0-9]+' 'stty echo; exit 3\r' end:3 -- sh -i 3>&- >"$TEST_DIR/shown"
	# Its mode came along: nothing was echoed.
	run -1 grep '^two' "$TEST_DIR/shown"
}

@test "a job of a shell: without --shell-job it is refused, and goes on" {
	at_shell "$JOB" 'one\r' 'expect:got <one>' "run:! $DUMP 2>$TEST_DIR/said" 'two\r' 'expect:got <two>' '\x04' \
		'expect:# ' 'exit 0\r' end:0
	grep -q -- "--shell-job" "$TEST_DIR/said"
}

@test "check names the terminal whose other end is outside" {
	setsid script -qefc "exec setsid -w $TEST_DIR/job" /dev/null >/dev/null 2>&1 < <(sleep 60) 3>&- &
	wait_for test -s "$TEST_DIR/job.pid"
	pid=$(cat "$TEST_DIR/job.pid")
	run cryo check -t "$pid"
	assert_status 1
	assert_has "task $pid: fd 0: terminal '/dev/pts/"
	assert_has "its other end is outside of the tree"
	assert_equal "$(grep -c 'other end' <<<"$output")" 1 "how often it is told"
	run cryo dump -t "$pid" -D "$IMG"
	assert_status 1
	assert_has "its other end is outside of the tree"
	[ -e "/proc/$pid" ]
	[ -z "$(ls "$IMG")" ]
	kill -KILL "$pid"
}

@test "--external and --inherit-fd: another terminal in its place" {
	cat >"$TEST_DIR/first" <<-'END'
		#!/bin/sh
		stat -Lc '%R:%D' /dev/stdin >"$TEST_DIR/key"
		exec setsid -w "$TEST_DIR/job" >"$TEST_DIR/job.out" 2>&1
	END
	chmod +x "$TEST_DIR/first"
	at_shell 'exec "$TEST_DIR/first"\r' 'expect:first' "run:until [ -s $TEST_DIR/job.pid ]; do sleep 0.05; done" \
		"run:$DUMP --external \"tty[\$(cat $TEST_DIR/key)]\"" "run:$GONE"
	# One line for the shell: what is typed next is for the job alone.
	at_shell '"$CRYO" restore -D "$IMG" -d --inherit-fd "fd[0]:tty[$(cat $TEST_DIR/key)]" && exec sleep 100\r' \
		'expect:sleep 100' 'three\r' \
		"run:until grep -q three $TEST_DIR/job.out; do sleep 0.05; done" \
		"run:kill \$(cat $TEST_DIR/job.pid)" '\x03' end:-2
	grep -q "got <three> 33 101" "$TEST_DIR/job.out"
	run cryo restore -D "$IMG" -d
	assert_status 1
	assert_has "no descriptor was handed over for it (--inherit-fd 'fd[N]:tty["
}

@test "a terminal that is needed for a job must be there" {
	at_shell "$JOB" 'one\r' 'expect:got <one>' "run:$DUMP --shell-job" 'expect:# ' "run:$GONE" 'exit\r' end:137
	run setsid "$CRYO" restore -D "$IMG" --shell-job </dev/null
	assert_status 1
	assert_has "none of our standard streams is one"
	run cryo restore -D "$IMG"
	assert_status 1
	assert_has "--shell-job"
}

@test "what was typed ahead is put back if the dump fails after it was taken" {
	cat >"$TEST_DIR/job" <<-'END'
		#!/bin/sh
		echo $$ >"$TEST_DIR/job.pid"
		until [ -e "$TEST_DIR/job.go" ]; do sleep 0.05; done
		while read -r x; do echo "got <$x>"; done
	END
	mkdir "$IMG/tty-data.img" # no file can be made there
	at_shell "$JOB" 'expect:job' "run:until [ -s $TEST_DIR/job.pid ]; do sleep 0.05; done" \
		'ahead\r' 'unfin' 'expect:unfin' "run:! $DUMP --shell-job 2>$TEST_DIR/said" "run:touch $TEST_DIR/job.go" \
		'expect:got <ahead>' 'ished\r' 'expect:got <unfinished>' '\x04' 'expect:# ' 'exit 0\r' end:0
	grep -q "tty-data.img" "$TEST_DIR/said"
	assert_equal "$(grep -c '^ahead' "$TEST_DIR/shown")" 1 "how often it was echoed"
	assert_equal "$(ls "$IMG")" tty-data.img "what is left of the images"
}
