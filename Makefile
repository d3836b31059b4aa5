# Two commands matter: `make demo` runs the main job on a made-up web, `make test` proves everything.
# The target folder lies under the user's cache folder, so that a clean checkout does not build the world again.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/inkdex
export CARGO_TARGET_DIR ?= $(CACHE)/target
INKDEX := $(CARGO_TARGET_DIR)/debug/inkdex
CORPUS ?= ../shared/corpus/dev
ARTISTS ?= 2000

.PHONY: help demo test storm hostile politeness browser corpus production figures

help:
	@echo "make demo [ARGS=--exit]   the whole path on a made-up web on this machine, then the search page"
	@echo "make test                 install what the tests need, then formatting, lints, licences and every test, against real servers on loopback"
	@echo "make storm [ARTISTS=2000]  only the big fault run: kills, pauses, cuts and a restart on real servers, over so many artists"
	@echo "make hostile              only what hostile sites can do: pages in Chromium, URLs that lead inwards, rebinding, shapes, bombs; counted"
	@echo "make politeness           200 hosts at a request a second each, then two processes whose clocks disagree; judged by the server's log"
	@echo "make browser              pages in Chromium: hostile ones, limits, kills, and 200 in a row with processes and memory measured"
	@echo "make production [ARGS=--exit]   the demo on Cassandra, SQS, OpenSearch and S3, as real servers on loopback"
	@echo "make figures [ARGS='--changes 500']   change to searchable (fails at p99 of 1 s), and our adapters beside the bare drivers, on those servers"
	@echo "make corpus CORPUS=DIR    a whole session over a folder of labelled sites, served on loopback"

demo:
	@scripts/toolchain.sh
	cargo build --locked
	$(INKDEX) demo $(ARGS)

corpus:
	@test -d "$(CORPUS)" || { echo "there is no folder $(CORPUS); name one with labelled sites: make corpus CORPUS=DIR" >&2; exit 2; }
	@scripts/toolchain.sh
	cargo build --locked
	$(INKDEX) rehearse $(CORPUS)
	$(INKDEX) eval $(CORPUS)

browser:
	@scripts/toolchain.sh
	@scripts/test-needs.sh
	INKDEX_BROWSER_PAGES=200 cargo test --locked --test it browser:: -- --nocapture

production:
	@scripts/toolchain.sh
	@scripts/servers.sh fetch
	cargo build --locked
	scripts/production.sh $(INKDEX) $(ARGS)

# Inkdex alone is optimised; the dependencies stay those of the tests, so that they are not built a second time.
figures:
	@scripts/toolchain.sh
	@scripts/servers.sh fetch
	cargo bench --locked --profile dev --config 'profile.dev.opt-level=2' --bench figures --no-run
	@run=$$(mktemp -d); trap 'scripts/servers.sh stop --run "$$run/servers"; rm -rf "$$run"' EXIT; trap 'exit 130' INT TERM HUP; \
	scripts/servers.sh start --run "$$run/servers" --for-pid $$$$ || exit 1; \
	INKDEX_TEST_SERVERS="$$run/servers/servers.env" cargo bench --locked --profile dev --config 'profile.dev.opt-level=2' --bench figures -- $(ARGS)

test:
	@scripts/toolchain.sh
	@scripts/test-needs.sh
	@scripts/servers.sh fetch
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@scripts/deny.sh
	@run=$$(mktemp -d); trap 'scripts/servers.sh stop --run "$$run/servers"; rm -rf "$$run"' EXIT; trap 'exit 130' INT TERM HUP; \
	scripts/servers.sh start --run "$$run/servers" --for-pid $$$$ || exit 1; \
	INKDEX_TEST_SERVERS="$$run/servers/servers.env" cargo test --locked

storm:
	@scripts/toolchain.sh
	@scripts/servers.sh fetch
	INKDEX_STORM_ARTISTS=$(ARTISTS) cargo test --locked --test storm

hostile:
	@scripts/toolchain.sh
	@scripts/test-needs.sh
	@told=$$(mktemp); trap 'rm -f "$$told"' EXIT; export INKDEX_HOSTILE_TOLD="$$told"; \
	cargo test --locked --test it browser::hostile && cargo test --locked --test hostile && cat "$$told"

# Fails below 97% of the rate that politeness allows, so it wants a machine that does nothing else, and an optimised build: 200 pages
# a second are more than unoptimised extractors read. The dependencies stay those of the other tests.
politeness:
	@scripts/toolchain.sh
	@scripts/test-needs.sh faketime
	@scripts/servers.sh fetch
	cargo test --locked --config 'profile.dev.opt-level=2' --test politeness -- --test-threads=1
