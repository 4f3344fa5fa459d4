#!/usr/bin/env bats
# Programs at a terminal: bash with its jobs, vim, top; attached, left, saved, restored, attached again
# shellcheck disable=SC2016 # programs for the shell of a container
load ../lib/setup
load servers
setup_file()    { test_begin; server_image terminal bash vim-tiny procps ncurses-base; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

DETACH='\x10\x11'

# at NAME STEP...: a person attaches to the container; see tests/lib/terminal.py.
at() {
	local name=$1
	shift
	python3 "$TOP/tests/lib/terminal.py" -s "${SIZE:-33x101}" raw: "$@" -- \
		"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" attach "$name" 3>&-
}

start_at_terminal() { # NAME COMMAND...
	cryopod run -dit --name "$1" --network none -e TERM=xterm -e PS1='# ' localhost/terminal:latest "${@:2}" >/dev/null
}

start_bash() {
	start_at_terminal "$1" bash --norc --noediting
}

@test "bash: jobs in the background and stopped, fg, ^C, ^Z, the size of the window" {
	start_bash sh
	at sh '\r' 'expect:# ' 'sleep 12345 | cat &\r' 'expect:\[1\]' 'stty size\r' 'expect:33 101' \
		'cat\r' 'before\r' 'expect:before.*before' '\x1a' 'expect:\[2\]\+ +Stopped' 'trap "echo WIN''CH; got=1" WINCH\r' \
		'mark=still-the-same\r' "$DETACH" end:0
	to_disk sh
	forget_pages sh
	from_disk sh
	at sh '\r' 'expect:# ' 'jobs\r' 'expect:\[1\]- +Running +sleep 12345 \| cat &.*\[2\]\+ +Stopped +cat' \
		'echo $mark\r' 'expect:still-the-same' \
		'fg\r' 'expect:cat' 'after\r' 'expect:after.*after' '\x1a' 'expect:Stopped.*# ' 'fg\r' 'again\r' 'expect:again.*again' '\x03' 'expect:# ' \
		'kill %1\r' 'wait; jobs; echo none"-"left\r' 'expect:none-left' \
		'got=; echo clear"-"ed\r' 'expect:clear-ed.*# ' size:40x90 'until [ "$got" ]; do :; done\r' 'expect:WINCH' 'stty size\r' 'expect:40 90' \
		'(echo begin"-"ning; exec sleep 54321)\r' 'expect:begin-ning' '\x03' 'expect:# ' 'tty; ps -o tpgid= -p $$\r' 'expect:/dev/pts/0' \
		'exit 7\r' end:7
}

@test "bash: what was typed ahead is read after the restore; five rounds" {
	start_bash sh
	at sh '\r' 'expect:# ' 'i=0\r' 'expect:# ' "$DETACH" end:0
	for round in 1 2 3 4 5; do
		# The shell is busy until a file appears: it reads nothing.
		at sh '\r' 'expect:# ' 'until [ -e /go ]; do sleep 0.05; done; rm /go\r' 'expect:rm /go' \
			'echo ahead-$((++i))\r' 'expect:ahead' 'echo unfin' 'expect:unfin' "$DETACH" end:0
		round sh
		cryopod exec sh touch /go
		wait_for -t 60 log_has sh "ahead-$round"
		at sh 'ished\r' 'expect:\nunfinished' "$DETACH" end:0
	done
	at sh 'exit\r' end:0
}

@test "vim: in the middle of typing" {
	start_at_terminal vi vim.tiny -u NONE /tmp/text
	at vi 'expect:~' 'ifirst line\rsecond' 'expect:second' "$DETACH" end:0
	to_disk vi
	forget_pages vi
	from_disk vi
	SIZE=30x70 at vi ' half\x1b' '\x0c' 'expect:second half' ':w\r' 'expect:written' "$DETACH" end:0
	run -0 cryopod exec vi cat /tmp/text
	assert_equal "$output" "first line
second half"
	at vi ':q\r' end:0
}

@test "top: goes on, reacts to a key and to a new size" {
	start_at_terminal top sh -c 'exec top -d 0.3'
	at top 'expect:load average.*PID' "$DETACH" end:0
	to_disk top
	from_disk top
	at top 'expect:load average' size:50x120 'expect:load average.*PID' 'q' end:0
}

@test "an attached terminal ends with the checkpoint, and the next one gets the rest" {
	start_bash sh
	at sh '\r' 'expect:# ' 'for i in 1 2 3; do read x; echo got-$x; done\r' 'one\r' 'expect:got-one' "$DETACH" end:0
	(wait_for -t 60 log_has sh got-two && to_disk sh) &
	at sh 'two\r' 'expect:got-two' >"$TEST_DIR/out"
	wait $!
	from_disk sh
	at sh 'three\r' 'expect:got-three' 'exit\r' end:0
}
