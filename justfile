# The project's recipes. `just` is optional: every recipe is one plain command.

# Everything that must hold before a change lands.
ci:
    .ci/run

# The README's second command.
test:
    cargo test

fmt:
    cargo fmt --all

clippy:
    cargo clippy --all-targets -- -D warnings

# The core alone, without std: purity is compiled, not promised.
pure:
    cargo check --lib --no-default-features

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items

# One run of one scenario.
run scenario="partition" seed="42":
    cargo run --release -- run scenarios/{{scenario}}.toml --seed {{seed}}

# Every seed that ever failed.
replay:
    cargo run --release -- replay sim-results/regressions

# The committed summary of each shipped scenario at seed 42, without what depends on the machine.
baseline:
    cargo build --release
    for scenario in scenarios/*.toml scenarios/large/*.toml; do \
        cargo run --release -- run "$scenario" --seed 42 --json | grep -v '"wall_ns"' \
            > "sim-results/baseline/$(basename "$scenario" .toml).json" || exit 1; \
    done

# Long runs: a thousand seeds of each scenario (some seven hours on two cores), and the property tests with many more
# cases.
nightly:
    cargo build --release
    cargo run --release -- sweep scenarios/*.toml --seeds 1..1001 --save
    cargo run --release -- sweep scenarios/large/*.toml --seeds 1..1001 --save
    PROPTEST_CASES=20000 KVSIM_TWIN_SEEDS=50 cargo test --release
    just nightly-storage

# The storage engine: millions of random operations, crashes and restarts against a model, and every bit of every kind
# of file.
nightly-storage cases="30000":
    KVSIM_MODEL_CASES={{cases}} cargo test --release --test conformance model
    KVSIM_ALL_BITS=1 cargo test --release --test conformance flip

# The storage engine against the fjall crate on real files, in alternation. Sizes of the manual's figures:
# `just bench-storage 2000000 100` and `just bench-storage 1000000 1024`.
bench-storage entries="200000" value="100" rounds="3":
    cargo bench --bench storage -- {{entries}} {{value}} {{rounds}}

# Plants every bug of tests/mutants into a copy of the tree, and shows which scenario finds it after how many seeds.
# `just mutants hint-counted-as-acknowledgement` tries one.
mutants *names:
    tests/mutants/run {{names}}

# The simulator: events a second, the oracles' share, copies, threads (`just bench-sim loop` for one part).
bench-sim part="" number="":
    cargo bench --bench simulator -- {{part}} {{number}}

# What an operation costs in frames, bytes, syncs, allocations and time: the nodes alone, and on loopback.
bench-ops part="" number="":
    cargo bench --bench operations -- {{part}} {{number}}

# The linearizability checker against the todc-utils crate, in alternation. With 10,000 instead of 1,000 operations of
# ten clients on one key, the other one takes minutes.
bench-lin rounds="3" ten="1000":
    cargo bench --bench linear -- {{rounds}} {{ten}}

# Accept changed snapshots after looking at them (needs cargo-insta).
review:
    cargo insta review
