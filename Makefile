# The menu. All building is meson's; this file only names the dishes.
#
#   make            the programs, in build/bin
#   make demo       the walkthrough: a container is frozen to disk and goes on
#   make test       every test, as root; ends in "N passed, N failed, N skipped"
#   make test-servers   the same with real servers in containers (Debian packages; takes longer)
#   make bench      how long a checkpoint and a restore take
#   make lint       format, house rules, static analysis
#   make fuzz       the parsers of outside bytes, FUZZ_SECONDS each
#   make cover      what of the code the tests run
#   make install    programs and man pages, below $(DESTDIR)$(PREFIX)
#   make clean
#
# What is missing is installed first (Debian packages, see tools/install-packages).

BUILD ?= build
PREFIX ?= /usr/local
PROGRAMS = cryo cryorun cryopod

.PHONY: all deps demo test test-servers bench lint fuzz cover man install clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet
	@mkdir -p $(BUILD)/bin
	@for p in $(PROGRAMS); do [ ! -e $(BUILD)/src/cmd/$$p/$$p ] || ln -f $(BUILD)/src/cmd/$$p/$$p $(BUILD)/bin/$$p || exit 1; done

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) $(MESON_FLAGS) >/dev/null

deps:
	@tools/install-packages build

demo:
	@tools/install-packages build run demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tools/demo

test:
	@[ "$$(id -u)" = 0 ] || { echo "make test: the tests start containers and need root: sudo make test" >&2; exit 1; }
	@tools/install-packages build run test
	@$(MAKE) --no-print-directory all MESON_FLAGS=-Dwerror=true
	@BUILD=$(BUILD) tests/run $(SUITES)

test-servers:
	@$(MAKE) --no-print-directory test SUITES=servers

bench:
	@tools/install-packages build run test
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) bench/run

bench-memory:
	@tools/install-packages build run test
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) bench/memory-run

lint:
	@tools/install-packages build lint
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tools/lint

fuzz:
	@tools/install-packages build fuzz
	@tools/fuzz

cover:
	@tools/install-packages build run test cover
	@$(MAKE) --no-print-directory all BUILD=build-cover MESON_FLAGS=-Db_coverage=true
	@BUILD=build-cover CRYOPOD_BIN=$(CURDIR)/build-cover/bin tests/run; \
		gcovr --root . --filter src/ --exclude 'src/img/pb/' --object-directory build-cover --print-summary

# Rendered where a renderer is installed; the sources read well without one.
man:
	@BUILD=$(BUILD) tools/render-man

install: all man
	@install -d $(DESTDIR)$(PREFIX)/bin
	@for p in $(PROGRAMS); do install -m 755 $(BUILD)/bin/$$p $(DESTDIR)$(PREFIX)/bin/; done
	@for page in $(BUILD)/man/*; do [ ! -e "$$page" ] || \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page; done

clean:
	rm -rf $(BUILD) build-cover build-fuzz
