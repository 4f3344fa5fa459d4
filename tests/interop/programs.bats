load ../lib/setup

# Programs as Debian ships them, dumped and restored three times in the middle of their work.
setup_file() { test_begin; }
teardown_file() { test_end; }
teardown() {
	leftovers_remove
	assert_nothing_left
}

numbers() { grep -c '^[0-9]*$' "$TEST_DIR/$1.out"; }
more_numbers() { [ "$(numbers "$1")" -gt "$2" ]; }
tree_gone() {
	local pid
	for pid in "$@"; do [ ! -e "/proc/$pid" ] || return 1; done
}

rounds() { # NAME COMMAND...: it prints numbers
	local name=$1 pid pids n
	shift
	: >"$TEST_DIR/$name.out"
	setsid "$@" </dev/null >>"$TEST_DIR/$name.out" 2>&1 3>&- &
	pid=$!
	wait_for more_numbers "$name" 3 || fail "$(cat "$TEST_DIR/$name.out")"
	for round in 1 2 3; do
		pids=$(descendants "$pid")
		mkdir "$TEST_DIR/$name.$round"
		cryo dump -t "$pid" -D "$TEST_DIR/$name.$round" || fail "dump $round"
		# shellcheck disable=SC2086
		wait_for tree_gone $pids
		n=$(numbers "$name")
		cryo restore -D "$TEST_DIR/$name.$round" -d || fail "restore $round"
		wait_for more_numbers "$name" $((n + 3)) || fail "stands still after round $round:" "$(tail -n 3 "$TEST_DIR/$name.out")"
	done
	program=$pid
}

descendants() {
	local child
	echo "$1"
	for child in $(cat "/proc/$1"/task/*/children 2>/dev/null); do descendants "$child"; done
}

@test "bash: children, a trap, a pipe to itself, a here document" {
	cat >"$TEST_DIR/script" <<-'END'
		trap 'echo trapped' USR1
		exec 4< <(while :; do echo beat; sleep 0.02; done)
		declare -A seen
		for ((i = 0; ; i++)); do
			read -r word <&4
			[ "$word" = beat ] || echo "read '$word'"
			seen[$i]=$((i * i))
			[ "${seen[$((i / 2))]}" = $(((i / 2) * (i / 2))) ] || echo "forgot $((i / 2))"
			read -r doc <<-EOF
				$i
			EOF
			echo "$doc"
		done
	END
	rounds bash bash "$TEST_DIR/script"
	kill -USR1 "$program"
	wait_for file_has "$TEST_DIR/bash.out" trapped
	grep -v trapped "$TEST_DIR/bash.out" | assert_sequence -
}

@test "dash: a pipeline with a subshell at each end" {
	# shellcheck disable=SC2016
	rounds dash dash -c '(i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done) | cat | (while read n; do echo $n; done)'
	assert_sequence "$TEST_DIR/dash.out"
}

@test "python: a generator, a file, a hash, a heap" {
	cat >"$TEST_DIR/program.py" <<-'END'
		import hashlib, os, random, signal, sys, time

		def numbers():
		    n = 0
		    while True:
		        yield n
		        n += 1

		caught = []
		signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
		heap = {i: str(i) * 100 for i in range(20000)}
		digest = hashlib.sha256()
		log = open(os.environ["TEST_DIR"] + "/python.log", "w+")
		whole = b""
		for n in numbers():
		    digest.update(b"%d" % n)
		    whole += b"%d" % n
		    if digest.digest() != hashlib.sha256(whole).digest():
		        print("hash is wrong")
		    k = random.randrange(20000)
		    if heap[k] != str(k) * 100:
		        print("heap is wrong")
		    log.write("%d\n" % n)
		    if caught:
		        caught.clear()
		        print("caught")
		    print(n, flush=True)
		    time.sleep(0.02)
	END
	rounds python python3 "$TEST_DIR/program.py"
	kill -USR1 "$program"
	wait_for file_has "$TEST_DIR/python.out" caught
	grep -v caught "$TEST_DIR/python.out" | assert_sequence -
}

@test "perl: a sort that takes long, in the middle of it" {
	# shellcheck disable=SC2016
	rounds perl perl -e '$| = 1; my $n = 0; srand(7); my @a = map { int(rand(1e9)) } 1..20000; my $want = join ",", (sort { $a <=> $b } @a)[0..9];
		while (1) { my $got = join ",", (sort { $a <=> $b } @a)[0..9]; print $got eq $want ? "$n\n" : "wrong\n"; $n++ }'
	assert_sequence "$TEST_DIR/perl.out"
}
