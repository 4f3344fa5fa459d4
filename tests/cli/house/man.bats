load ../../lib/setup

@test "the man pages say what --help says" {
	"$TOP/tools/sync-man" --check
}

@test "each man page renders without a complaint" {
	need command -v go-md2man -- "go-md2man is not installed"
	BUILD=$BATS_TEST_TMPDIR "$TOP/tools/render-man"
	for page in "$TOP"/man/*.md; do
		rendered=$BATS_TEST_TMPDIR/man/$(basename "$page" .md)
		grep -q '^\.SH NAME' "$rendered" || fail "$rendered has no NAME"
	done
}
