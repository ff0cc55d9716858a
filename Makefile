# The front door. Each target does all of its own set-up on a fresh Debian 12 or 13.
#
#   make image            build/homelab-VERSION-amd64.raw, .raw.zst and .qcow2
#   make run [SEED=FILE]  boot it in QEMU, the console is this terminal
#   make test             every layer of tests, ends with "N passed, N failed"
#   make test-all         the same and the slow ones
#   make bench            build times, cold and warm; writing a disk, against bmaptool

BUILD_PACKAGES := build-essential ca-certificates mmdebstrap debian-archive-keyring uidmap
RUN_PACKAGES   := qemu-system-x86 qemu-utils ovmf
TEST_PACKAGES  := $(RUN_PACKAGES) docker-registry dnsmasq-base nmap iproute2 openssh-client \
                  util-linux e2fsprogs xfsprogs btrfs-progs cryptsetup-bin

newest = $$(ls -t build/homelab-*-amd64.raw | head -n 1)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# Rust 1.85 or newer: what is there, or Debian's; Debian 12 has one under another name.
RUST := $(shell have=$$(cargo --version 2>/dev/null | cut -d ' ' -f 2); \
    test "$$(printf '%s\n' 1.85 "$$have" | sort -V | head -n 1)" = 1.85 && exit; \
    . /etc/os-release; test "$$VERSION_ID" = 12 && echo rustc-web cargo-web || echo rustc cargo)
GO   := $(if $(shell command -v go),,golang-go)
CARGO := cargo
BIN  := target/release

.PHONY: image raw run test test-all bench programs

image: programs
	@$(call install,qemu-utils)
	$(BIN)/homelab-image build --format zst --format qcow2

# The tests and benchmarks take the image as it is.
raw: programs
	$(BIN)/homelab-image build

run: programs
	@$(call install,$(RUN_PACKAGES))
	@test -e $(firstword $(wildcard build/homelab-*-amd64.raw) none) || $(BIN)/homelab-image build
	$(BIN)/homelab-image run $(newest) $(if $(SEED),--seed $(SEED))

test test-all: raw
	@$(call install,$(TEST_PACKAGES) $(GO))
	$(BIN)/qemu-tests suite $(if $(filter test-all,$@),--all)

bench: raw
	@$(call install,bmap-tools)
	$(BIN)/homelab-image bench
	$(BIN)/homelab-image bench-flash $(newest)

programs:
	@$(call install,$(BUILD_PACKAGES) $(RUST))
	$(CARGO) build --release --workspace

# Installs the packages of a list that are not there yet.
define install
missing=$$(for package in $(1); do \
    dpkg-query --show --showformat='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || echo $$package; \
done); \
if [ -n "$$missing" ]; then \
    echo "installing:" $$missing; \
    $(SUDO) apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
fi
endef
