# The targets call the mapstack command and the go command, which hold the logic.
# GNU make exits with 2 after every failure. The exit status that the README explains
# is the number after "Error" in make's last line. bin/mapstack itself exits with it.

# One static program on every host, as make dist's are; no C compiler is needed.
export CGO_ENABLED := 0

.PHONY: help conformance kill-table bench load scale record suites list fetch twin lean pages guarded doctor faults soak test test-boot lint fuzz race dist bin/mapstack

# Variables that narrow or change a run. All empty: the whole matrix, as it is.
ARCH ?=
CELL ?=
KERNEL ?=
FOCUS ?=
SKIP ?=
DEFECT ?=
TARGET ?=
DESTRUCTIVE ?=
LOCKED ?=
ALLOW_TWIN ?=
STRICT ?=
OFFLINE ?=
FRESH ?=
OS_IMAGE ?=
GUEST_AGENT ?=
BASELINE ?=
MATRIX ?=
OS ?=
SHARD ?=
RESUME ?=
OUT ?= out

matrix = $(if $(MATRIX),--matrix '$(MATRIX)')
select = $(matrix) $(if $(ARCH),--arch '$(ARCH)') $(if $(CELL),--cell '$(CELL)') $(if $(KERNEL),--kernel '$(KERNEL)') \
	$(if $(SKIP),--skip '$(SKIP)') $(if $(filter-out 0,$(LOCKED)),--locked) $(offline)

offline = $(if $(filter-out 0,$(OFFLINE)),--offline)

strict = $(if $(filter-out 0,$(STRICT)),--strict)

help:
	@echo 'make conformance   boot the cells, run the probes, judge the claims'
	@echo '                   ARCH=loong64 CELL=amd64-debian12-6.1 KERNEL=6.1 FOCUS=MS-003 narrow the run'
	@echo '                   SKIP=amd64-*,MS-003 leaves out cells, suites or claims; CELL, FOCUS and SKIP take patterns'
	@echo '                   MATRIX=FILE has cells of your own (mapstack.yaml, if there is one); MATRIX=none for the built-in ones'
	@echo '                   OS=kylin runs the products of that system whose images you supply; make list shows them'
	@echo '                   ARCH=sw64 needs a kernel that you supply, and also runs its twin, an Alpha kernel'
	@echo '                   ALLOW_TWIN=1 exits as the twin and the models decide if there is no real kernel'
	@echo '                   STRICT=1 exits with 1 for failures that fixtures/known-failures.yaml or the matrix file lists'
	@echo '                   OFFLINE=1 downloads nothing, also of make fetch, doctor and kill-table'
	@echo '                   FRESH=1 boots guests instead of restoring them from a snapshot'
	@echo '                   OS_IMAGE=FILE tests the kernel of a disk image; OS says which system it is'
	@echo '                   GUEST_AGENT=DIR runs an agent and probes that you compiled'
	@echo '                   LOCKED=1 accepts no kernel but the one in fixtures/kernels.lock'
	@echo '                   TARGET=native, TARGET=ssh://user@host or TARGET=user runs the probes there, not in guests'
	@echo '                   DESTRUCTIVE=1 also runs probes that can disrupt other users of the target'
	@echo '                   DEFECT=stack-read-only injects a defect; such a run certifies nothing'
	@echo '                   BASELINE=out/20260131-235959 shows what changed against that run'
	@echo '                   RESUME=out/20260131-235959 goes on with an interrupted run; leave the other variables out'
	@echo '                   SHARD=1/4 or SHARD=auto runs one part of the cells; bin/mapstack merge joins the parts'
	@echo '                   OUT=out is the folder for evidence and reports'
	@echo 'make suites        run the suites through go tool ginkgo; ARCH, CELL, KERNEL and LOCKED narrow them; also STRICT'
	@echo 'make kill-table    show which claims catch which injected defects; CELL and FOCUS narrow the table'
	@echo 'make bench         measure restores, boots and a whole run, and write fixtures/benchmarks.md'
	@echo 'make load          measure goroutines under load on TARGET, on the guests of CELL, or on this host; OUT as for conformance'
	@echo 'make scale         run the matrix whole and in shards, simulate nights of 20,000 cells, and write fixtures/scale.md'
	@echo '                   and fixtures/scale-merge.md; half an hour'
	@echo 'make faults        inject RUNS (200) faults that follow from SEED (1) into runs, and write fixtures/faults.md; needs root;'
	@echo '                   CLOCK=1m also sets the clock of this machine, by up to so much, and back again'
	@echo 'make soak          run CELL (amd64-debian12-6.1) RUNS (500) times, and write fixtures/soak.md; an hour, or less with FOCUS'
	@echo 'make record        run the cells of fixtures/recorded again and keep their evidence for make test'
	@echo 'make list          show the cells'
	@echo 'make fetch         download and prepare everything, boot nothing'
	@echo 'make twin          build the kernel of sw64'\''s twin; make doctor ARCH=alpha lists the compilers it needs'
	@echo 'make lean          run kernels that lack much or are set otherwise; the first time builds six of them, half an hour'
	@echo '                   make doctor CELL=lean lists the compilers it needs; FOCUS and OUT as for conformance'
	@echo 'make pages         run kernels with page sizes that Debian does not have; the first time builds four of them'
	@echo '                   make doctor CELL=pages lists the compilers it needs; FOCUS and OUT as for conformance'
	@echo 'make guarded       boot Debian with SELinux enforcing and with AppArmor, and run every probe in it; needs root and'
	@echo '                   debootstrap; half an hour the first time, and 1.5 GB of the cache; OUT as for conformance'
	@echo 'make doctor        list what this machine lacks, with the command that supplies it'
	@echo 'make dist          write static programs with the guest programs inside to dist/,'
	@echo '                   for HOSTS (amd64 arm64 loong64 riscv64)'
	@echo 'make packages      make dist, and .deb, .rpm, an OCI image, SPDX and SHA256SUMS of the programs;'
	@echo '                   KEY=FILE is a private key of ssh, which signs SHA256SUMS'
	@echo 'make reproduce     make the packages again, of a fresh copy and with an empty cache, and compare them with dist/'
	@echo 'make test          run the tests of mapstack itself; boots nothing'
	@echo 'make test-boot     run the tests that boot real kernels'
	@echo 'make lint          gofmt, go vet, staticcheck'
	@echo 'make fuzz          run every fuzz target for FUZZTIME (10s, or such as 500x for 500 executions);'
	@echo '                   FUZZ=harness/judge names some, by a regular expression; FUZZ_TABLE=FILE has a table of what they did;'
	@echo '                   FUZZ_JOBS=20 runs so many at once, and not as many as there are CPUs'
	@echo 'make race          run the tests with the race detector; needs a C compiler, and ten minutes'

# The program begins in harness/diagnose/rt0, before the Go runtime.
entry = -E _rt0_mapstack

# This target always runs: the go command knows what has changed.
bin/mapstack:
	@test -d bin || echo 'compiling mapstack; the first time takes a minute or two'
	@go build -trimpath -ldflags='$(entry)' -o $@ ./harness/cmd/mapstack

conformance: bin/mapstack
	@bin/mapstack run $(select) $(if $(OS),--os '$(OS)') $(if $(FOCUS),--focus '$(FOCUS)') $(if $(DEFECT),--defect '$(DEFECT)') \
		$(if $(TARGET),--target '$(TARGET)') $(if $(filter-out 0,$(DESTRUCTIVE)),--destructive) \
		$(if $(filter-out 0,$(ALLOW_TWIN)),--allow-twin) $(strict) $(if $(filter-out 0,$(FRESH)),--fresh) \
		$(if $(OS_IMAGE),--os-image '$(OS_IMAGE)') $(if $(GUEST_AGENT),--guest-agent '$(GUEST_AGENT)') $(if $(BASELINE),--baseline '$(BASELINE)') \
		$(if $(SHARD),--shard '$(SHARD)') $(if $(RESUME),--resume '$(RESUME)') --out '$(OUT)'

# The cells of fixtures/kill-table.md: generic numbers, those of MIPS, and 64k pages.
# With CELL or FOCUS the table is only printed.
tabled = amd64-debian12-6.1,arm64-debian12-6.1,mips64le-debian12bpo-6.12-malta,ppc64le-debian12-6.1

kill-table: bin/mapstack
	@bin/mapstack kill-table $(matrix) --cell '$(or $(CELL),$(tabled))' $(offline) $(if $(FOCUS),--focus '$(FOCUS)') \
		$(if $(CELL)$(FOCUS),,--write fixtures/kill-table.md)

# Also accepts exit status 1 of a run: a kernel that does not conform is evidence, too.
judged = [ $$? -eq 1 ]

# Two runs are measured: one with an empty cache, which downloads and builds all that it
# needs, and one after it.
bench: bin/mapstack
	@dir=$$(mktemp -d) && export XDG_CACHE_HOME="$$dir/cache" && \
		{ bin/mapstack run --matrix none --out "$$dir/cold" >/dev/null || $(judged); } && \
		{ bin/mapstack run --matrix none --out "$$dir/warm" >/dev/null || $(judged); } && \
		go run ./harness/cmd/bench --run "$$dir"/warm/latest --cold "$$dir"/cold/latest --write fixtures/benchmarks && rm -r "$$dir"
	@go test -run '^$$' -bench Scale -benchtime 1x ./harness/run

load: bin/mapstack
	@bin/mapstack bench load $(if $(TARGET),--target '$(TARGET)') $(if $(CELL),--cell '$(CELL)') $(if $(filter-out 0,$(LOCKED)),--locked) --out '$(OUT)'

# The cells that the simulation is checked with, in five shards. How they end does not matter, as
# long as they end.
unshared = amd64-debian12-6.1-settings
ended = [ -e "$$dir/$(1)/latest/report.json" ]
# Evidence is written much faster to memory than to a disk.
scratch = $(firstword $(wildcard /dev/shm) $(TMPDIR) /tmp)

scale: bin/mapstack
	@dir=$$(mktemp -d) && mkdir "$$dir/whole" && cp /proc/stat "$$dir/whole/before" && \
		{ bin/mapstack run --matrix none --out "$$dir/whole" >/dev/null || $(call ended,whole); } && cp /proc/stat "$$dir/whole/after" && \
		for i in 1 2 3 4 5; do mkdir "$$dir/$$i" && cp /proc/stat "$$dir/$$i/before" && \
			{ bin/mapstack run --matrix none --skip $(unshared) --shard $$i/5 --durations "$$dir/whole/latest" --out "$$dir/$$i" >/dev/null || \
				$(call ended,$$i); } && cp /proc/stat "$$dir/$$i/after" || exit 1; done && \
		{ bin/mapstack merge --out "$$dir/merged" "$$dir"/[1-5]/latest >/dev/null || [ -n "$$(ls "$$dir/merged")" ]; } && \
		TMPDIR=$(scratch) go test -count 1 -timeout 2h -run '^TestTwentyThousandCells$$' ./harness/run -args -night.write '$(abspath fixtures/scale.md)' \
			-night.before "$$dir/whole/latest" -night.shards "$$(echo "$$dir"/[1-5]/latest | tr ' ' ,)" && \
		TMPDIR=$(scratch) go test -count 1 -timeout 2h -run '^TestManyCellsAreMerged$$' ./harness/cmd/mapstack -args -scale.write '$(abspath fixtures/scale-merge.md)' && rm -r "$$dir"

RUNS ?=
SEED ?= 1
CLOCK ?=
faults: bin/mapstack
	@go run ./harness/cmd/faults -runs '$(or $(RUNS),200)' -seed '$(SEED)' $(if $(CLOCK),-clock '$(CLOCK)') -write fixtures/faults.md

soak: bin/mapstack
	@go run ./harness/cmd/soak -runs '$(or $(RUNS),500)' -cell '$(or $(CELL),amd64-debian12-6.1)' -focus '$(FOCUS)' -write fixtures/soak.md

# The cells of fixtures/recorded, which make test judges again: the oldest kernel and the
# newest ones, the numbers of every architecture, every page size.
recorded = alpha-6.1,alpha-newest,amd64-debian11-5.10,amd64-debian12-6.1-settings,amd64-debian13bpo-newest,arm64-debian13-6.12-16k,loong64-debian14-newest,$\
	mips64le-debian12-6.1-malta,mips64le-debian12-6.1-loongson3,ppc64le-debian14-newest-64k,$\
	riscv64-debian14-newest,s390x-debian14-newest

record: bin/mapstack
	@dir=$$(mktemp -d) && { bin/mapstack run --matrix none --cell '$(recorded)' --out "$$dir" || $(judged); } && \
		bin/mapstack verdict "$$dir"/latest --record fixtures/recorded >/dev/null && rm -r "$$dir"
	@go test ./suites -run TestJudgementsChangeOnPurpose -update

# Runs every folder whose suite can boot cells.
suites:
	MAPSTACK_ARCH='$(ARCH)' MAPSTACK_CELL='$(CELL)' MAPSTACK_KERNEL='$(KERNEL)' \
	MAPSTACK_OUT='$(abspath $(OUT))' LOCKED='$(if $(filter-out 0,$(LOCKED)),1)' $(if $(offline),MAPSTACK_OFFLINE=1) STRICT='$(if $(strict),1)' \
		go tool ginkgo --tags boot --keep-going --timeout 3h \
		$(patsubst %,./%,$(dir $(wildcard suites/*/suite_boot_test.go)))

# Prepares the kernel of the twin and everything else that its cell needs.
twin: bin/mapstack
	@bin/mapstack fetch --matrix none --arch alpha

# Builds the kernels that the cells of the group name, and runs all of its cells.
lean pages: bin/mapstack
	@bin/mapstack run --matrix none --cell '$(or $(CELL),$@)' $(if $(FOCUS),--focus '$(FOCUS)') $(if $(filter-out 0,$(LOCKED)),--locked) $(offline) $(strict) --out '$(OUT)'

# The tests install the systems, and keep them in the cache.
guarded:
	MAPSTACK_OUT='$(abspath $(OUT))' go test -tags boot -count 1 -timeout 2h -v -run '^TestGuarded' ./harness/cmd/mapstack

HOSTS ?= amd64 arm64 loong64 riscv64
DIST ?= dist
KEY ?=

# The files of a release. In the same folder others may lie.
released = mapstack-linux-* mapstack_*.deb mapstack-*.rpm mapstack-*.spdx.json mapstack-oci.tar

# Every time in a package is that of the last commit, so that all who build it get the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
# The version of the program, the day and the commit. Packages of a later day are newer.
release = $(shell sed -n 's/^const version = "\(.*\)"$$/\1/p' harness/cmd/mapstack/judge.go)+git$(shell \
	date -u -d '@$(SOURCE_DATE_EPOCH)' +%Y%m%d%H%M).$(shell git describe --always --abbrev=12 --match= --dirty | tr - .)

# The guest programs are built once. The program of every host contains the same ones.
dist:
	@go run ./harness/cmd/prebuild harness/guest/prebuilt/images
	@mkdir -p '$(DIST)' && cd '$(DIST)' && rm -f $(released) SHA256SUMS SHA256SUMS.sig
	@for host in $(HOSTS); do echo "$(DIST)/mapstack-linux-$$host"; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$host go build -trimpath -buildvcs=auto -tags dist -ldflags='-s -w $(entry)' \
			-o "$(DIST)/mapstack-linux-$$host" ./harness/cmd/mapstack || exit 1; done
	@cd '$(DIST)' && sha256sum mapstack-linux-* | tee SHA256SUMS

.PHONY: packages reproduce

# What makes the packages is a module of its own, and no part of the program.
packages: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)
packages: dist
	@man=$$(mktemp -d) && go run -tags manpages ./harness/cmd/mapstack manpages "$$man" && \
		go -C ci run ./pack -dir '$(abspath $(DIST))' -man "$$man" -license '$(abspath LICENSE)' -version '$(release)' && rm -r "$$man"
	@cd '$(DIST)' && sha256sum $(released) >SHA256SUMS
	@$(if $(KEY),ssh-keygen -q -Y sign -n file -f '$(KEY)' '$(DIST)/SHA256SUMS')

# Only the last commit is made again: what it does not have cannot be the same for others.
reproduce:
	@dir=$$(mktemp -d) && git clone -q . "$$dir/source" && \
		XDG_CACHE_HOME="$$dir/cache" $(MAKE) -s -C "$$dir/source" packages HOSTS='$(HOSTS)' DIST="$$dir/dist" KEY= && \
		diff '$(DIST)/SHA256SUMS' "$$dir/dist/SHA256SUMS" && echo 'all files are the same' && chmod -R u+w "$$dir" && rm -r "$$dir"

list: bin/mapstack
	@bin/mapstack $@ $(select) $(if $(OS),--os '$(OS)')

fetch doctor: bin/mapstack
	@bin/mapstack $@ $(select)

test:
	go test ./...
	go -C ci test ./...

# One package at a time, because each boots guests of its own. The suites and the whole
# matrix have targets of their own.
test-boot:
	go test -tags boot -p 1 -count 1 -timeout 60m -run '^Test(Boot|RealArchive|Toolbox)' \
		./harness/cmd/mapstack ./harness/machine/diskreader ./harness/machine/target ./harness/machine/toolbox ./harness/run/workbench ./harness/source/debian ./suites

lint:
	@test -z "$$(gofmt -l .)" || { echo 'not gofmt-ed:'; gofmt -l .; exit 1; }
	go vet ./...
	go vet -tags boot ./...
	go vet -tags manpages ./harness/cmd/mapstack
	go tool staticcheck ./...
	go -C ci vet ./...
	cd ci && "$$(cd .. && go tool -n staticcheck)" ./...

# The race detector makes every test program a cgo program with another number of threads and
# terabytes of address space. The tests that are about exactly these are left out: what diagnose
# says of threads of Go without cgo, and what limits of memory do to the process of a parser.
race:
	@CGO_ENABLED=1 go test -race $$(go list ./harness/... ./suites/... | grep -vE '/harness/(diagnose(/cases|/watch)?|source/quarantine)$$')

FUZZTIME ?= 10s
FUZZ ?=
FUZZ_TABLE ?=
FUZZ_JOBS ?=
fuzz:
	@go run ./harness/cmd/fuzz -time '$(FUZZTIME)' $(if $(FUZZ),-only '$(FUZZ)') $(if $(FUZZ_JOBS),-jobs '$(FUZZ_JOBS)') $(if $(FUZZ_TABLE),-write '$(FUZZ_TABLE)')
