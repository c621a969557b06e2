#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the fuzz targets of tests/fuzz, keeps what they learn, and says which lines of the checkpoint
# reader all of that reaches.
set -euo pipefail
# shellcheck source=../tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/common.sh"
cd "$root_dir"

all_targets=(descriptor legacy pickle safetensors state_dict zip)
folder=$deps_dir/fuzz
build='build-fuzz'
coverage_build='build-fuzz-coverage'
limits=(-rss_limit_mb=512 -timeout=2 -max_len=8192)

usage() {
    cat <<END
usage: tests/fuzz.sh [SECONDS] [TARGET...]

Runs each target for SECONDS (60), as many at once as there are processors. A target stops at its
first finding, whose input goes to .deps/fuzz/findings/TARGET; try it again with
    $build/tests/fuzz/fuzz_TARGET FILE
What the targets learn stays in .deps/fuzz/corpus, so that each run goes on where the last one
ended. With 0 seconds they only run what is there.

Targets: ${all_targets[*]}
END
}

[ "${1:-}" != --help ] || { usage && exit 0; }
seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
fi
targets=("$@")
[ $# != 0 ] || targets=("${all_targets[@]}")
for target in "${targets[@]}"; do
    [[ " ${all_targets[*]} " == *" $target "* ]] || { usage >&2 && exit 2; }
done

mkdir -p "$folder"
log_file=$folder/build.log
: >"$log_file"
python=$deps_dir/oracle/bin/python
if [ ! -x "$python" ] || [ ! -d "$(torch_prefix)" ]; then
    die "LibTorch or the tests' Python is missing; tests/run.sh --only fuzz prepares both"
fi
install_packages clang llvm

build_targets() {
    # Meson runs a small program that would leave its profile here.
    local -x LLVM_PROFILE_FILE=/dev/null
    local options="--native-file tools/clang.ini -Dfuzz=true -Dgstreamer=disabled -Dio=disabled
        -Ddownload=disabled"
    # shellcheck disable=SC2086
    configure "$build" $options -Db_sanitize=address,undefined -Dbuildtype=debugoptimized &&
        configure "$coverage_build" $options -Dbuildtype=debug \
            -Dcpp_args="-fprofile-instr-generate -fcoverage-mapping" \
            -Dcpp_link_args=-fprofile-instr-generate &&
        ninja -C "$build" fuzz && ninja -C "$coverage_build" fuzz
}

make_seeds() {
    rm -rf "$folder/seeds"
    "$python" -W ignore tests/fuzz/seeds.py "$folder/seeds"
}

# A quarantine as large as the usual one would take most of the memory that a target may use; stacks
# of allocations would take a third of the time, and a finding that is tried again has them.
export ASAN_OPTIONS=quarantine_size_mb=16:malloc_context_size=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# run_target NAME: one line for the table; what the target wrote is in NAME.log.
run_target() {
    local name=$1 program=$build/tests/fuzz/fuzz_$1 corpus=$folder/corpus/$1 status=0 runs findings
    local seeds=$folder/seeds/$1 log=$folder/$1.log
    mkdir -p "$corpus" "$folder/findings/$name"
    local budget=(-max_total_time="$seconds")
    [ "$seconds" != 0 ] || budget=(-runs=0)
    "$program" "${limits[@]}" "${budget[@]}" -print_final_stats=1 \
        -artifact_prefix="$folder/findings/$name/" "$corpus" "$seeds" >"$log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    findings=$(find "$folder/findings/$name" -type f -newer "$log_file" | wc -l)
    if [ $status = 0 ]; then
        rm -rf "$corpus.new" && mkdir "$corpus.new"
        "$program" "${limits[@]}" -merge=1 -artifact_prefix="$folder/findings/$name/" "$corpus.new" "$corpus" "$seeds" >>"$log" 2>&1 ||
            status=$?
        # What is in the way of a merge is a finding too, and then nothing is dropped.
        [ $status != 0 ] || { rm -rf "$corpus" && mv "$corpus.new" "$corpus"; }
    fi
    [ $status = 0 ] || [ "$findings" != 0 ] || findings=1
    printf '  %-12s %12s %9s %7s\n' "$name" "${runs:-?}" "$findings" \
        "$(find "$corpus" -type f | wc -l)"
    [ $status = 0 ]
}

# Lines of lib/checkpoint that the corpora reach, by file; the others go to `uncovered`.
report_coverage() {
    local profiles=$folder/profiles objects=() target
    rm -rf "$profiles"
    for target in "${all_targets[@]}"; do
        mkdir -p "$folder/corpus/$target"
        local program=$coverage_build/tests/fuzz/fuzz_$target
        LLVM_PROFILE_FILE=$profiles/$target.raw "$program" "${limits[@]}" -runs=0 \
            -artifact_prefix="$profiles/" "$folder/corpus/$target" "$folder/seeds/$target" \
            >>"$log_file" 2>&1 || echo "  without all of $target, which did not end well"
        objects+=(-object "$program")
    done
    llvm-profdata merge -o "$profiles/all" "$profiles"/*.raw
    llvm-cov export -format=lcov -instr-profile="$profiles/all" "${objects[@]:1}" |
        awk -F '[:,]' -v list="$folder/uncovered" '
            /^SF:/ { file = $2; sub(/.*\/lib\//, "lib/", file) }
            file !~ /^lib\/checkpoint\// { next }
            /^DA:/ { lines[file]++; all++ }
            /^DA:/ && $3 == 0 { missed[file]++; none++; print file ":" $2 >list }
            END {
                for (file in lines)
                    printf "  %-44s %5d %6.1f %%\n", file, lines[file],
                        100 - 100 * missed[file] / lines[file] | "sort"
                close("sort")
                printf "  %-44s %5d %6.1f %%\n", "lib/checkpoint", all, 100 - 100 * none / all
            }'
}

step "fuzz targets" build_targets
step "seeds" make_seeds

printf '\n  %-12s %12s %9s %7s\n' target executions findings corpus
status=0
running=0
for target in "${targets[@]}"; do
    if [ $running = "$(nproc)" ]; then
        wait -n || status=1
        running=$((running - 1))
    fi
    run_target "$target" &
    running=$((running + 1))
done
while [ $running -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done

printf '\n  %-44s %5s %8s\n' "lines reached, of" lines share
report_coverage
printf '\n  Lines not reached: .deps/fuzz/uncovered\n'
[ $status = 0 ] || die "there are findings: inputs in .deps/fuzz/findings, what was said in .deps/fuzz/TARGET.log"
