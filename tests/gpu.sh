#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Tests and measurements on a machine with an NVIDIA GPU. It needs torch (2.11 or later, with CUDA),
# nvcc of the same CUDA, a C++20 compiler, Meson and Ninja; but no Debian packages, no GStreamer and
# no network: what else the build needs is put into a folder on a machine like the one that
# setup.sh prepares, and taken along.
set -euo pipefail
root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=$(realpath -m "${TVW_BUILD:-$root_dir/build-gpu}")

usage() {
    cat <<END
usage: tests/gpu.sh --stage DIR
       tests/gpu.sh --from DIR [--only build|parity|bench]

  --stage DIR  put headers and libraries that the build needs into DIR (some 12 MB)
  --from DIR   with them: build into build-gpu (or TVW_BUILD), compare CUDA with the CPU, measure
  --only PART  that part alone

PYTHON names the Python that has torch (python3). Results: build-gpu/gpu.
END
}

die() {
    echo "error: $*" >&2
    exit 1
}

# module, header folders or files, library
modules=(
    "fmt fmt fmt"
    "libdeflate libdeflate.h deflate"
    "libcrypto openssl crypto"
    "libhwy hwy hwy"
    "nlohmann_json nlohmann -"
    "CLI11 CLI -"
)

# copy_library NAME DIR: under its soname, and under the name that the linker looks for. No links:
# the folder may travel by ways that lose them.
copy_library() {
    local file soname
    file=$(c++ -print-file-name="lib$1.so")
    [ -e "$file" ] || die "there is no lib$1.so: run ./setup.sh"
    soname=$(readelf -d "$file" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
    cp -L "$file" "$2/$soname"
    cp -L "$file" "$2/lib$1.so"
}

# write_module DIR NAME LIBRARY: its pkg-config file. Headers are the system's, as far as warnings go.
write_module() {
    local libs="" defines
    [ "$3" = - ] || libs="-L\${libdir} -l$3"
    defines=$(pkg-config --cflags-only-other "$2")
    cat >"$1/lib/pkgconfig/$2.pc" <<END
prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
Name: $2
Description: staged from $(pkg-config --variable=prefix "$2" || true)
Version: $(pkg-config --modversion "$2")
Cflags: -isystem \${prefix}/include $defines
Libs: $libs
END
}

# stage_pkg_config DIR: the program itself, which finds what is staged and nothing else.
stage_pkg_config() {
    local program
    program=$(realpath "$(command -v pkg-config)")
    cp "$program" "$1/bin/pkg-config.real"
    ldd "$program" | awk '/libpkgconf/ { print $3 }' | xargs -r -I{} cp -L {} "$1/lib/"
    cat >"$1/bin/pkg-config" <<'END'
#!/bin/sh
stage=$(cd "$(dirname "$0")/.." && pwd)
export PKG_CONFIG_LIBDIR="$stage/lib/pkgconfig" LD_LIBRARY_PATH="$stage/lib"
unset PKG_CONFIG_PATH
exec "$stage/bin/pkg-config.real" "$@"
END
    chmod +x "$1/bin/pkg-config"
}

stage() {
    local dir=$1 row name headers library folder
    rm -rf "$dir/include" "$dir/lib" "$dir/bin"
    mkdir -p "$dir/include" "$dir/lib/pkgconfig" "$dir/bin"
    for row in "${modules[@]}"; do
        read -r name headers library <<<"$row"
        for folder in /usr/include "/usr/include/$(c++ -print-multiarch)"; do
            [ ! -e "$folder/$headers" ] || cp -rL "$folder/$headers" "$dir/include/"
        done
        [ -e "$dir/include/$headers" ] || die "there are no headers of $name: run ./setup.sh"
        [ "$library" = - ] || copy_library "$library" "$dir/lib"
        write_module "$dir" "$name" "$library"
    done
    stage_pkg_config "$dir"
    echo "staged in $dir: $(du -sh "$dir" | cut -f1)"
}

python=${PYTHON:-python3}

need() {
    command -v "$1" >/dev/null || die "there is no $1 here: $2"
}

build() {
    local stage=$1 torch
    need "$python" "set PYTHON to one that has torch"
    need meson "pip install meson"
    need ninja "pip install ninja"
    torch=$("$python" -c 'from importlib.util import find_spec
print(find_spec("torch").submodule_search_locations[0])' 2>/dev/null) ||
        die "$python has no torch: set PYTHON"
    [ -x "$stage/bin/pkg-config" ] || die "$stage holds nothing: tests/gpu.sh --stage DIR makes it"
    export PKG_CONFIG=$stage/bin/pkg-config
    if [ ! -f "$build_dir/build.ninja" ]; then
        meson setup "$build_dir" "$root_dir" -Dtorch_prefix="$torch" -Dcuda=enabled -Dtests=false \
            -Dgstreamer=disabled -Dio=disabled -Ddownload=disabled || die "configuring failed"
    fi
    ninja -C "$build_dir" || die "compiling failed"
}

# Ends here, with what the library itself says, where there is no GPU.
need_gpu() {
    local reason
    reason=$("$build_dir/cli/tvw" bench squeezenet1_1 --size 64 --device cuda --rounds 1 --warmup 0 \
        2>&1 >/dev/null) || die "built, but nothing to test on: ${reason#tvw: }"
}

action=
only=
while [ $# -gt 0 ]; do
    case $1 in
        --stage | --from)
            [ $# -gt 1 ] || { usage >&2 && exit 2; }
            action=$1
            dir=$(realpath -m "$2")
            shift
            ;;
        --only)
            only=${2:-}
            [[ " build parity bench " == *" $only "* ]] || { usage >&2 && exit 2; }
            shift
            ;;
        --help) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done

case $action in
    --stage) stage "$dir" ;;
    --from)
        build "$dir"
        [ "$only" != build ] || exit 0
        need_gpu
        mkdir -p "$build_dir/gpu"
        status=0
        if [ "$only" != bench ]; then
            "$build_dir/tests/gpu/gpu_frames" | tee "$build_dir/gpu/frames.txt" || status=1
            "$build_dir/tests/gpu/gpu_parity" | tee "$build_dir/gpu/parity.txt" || status=1
        fi
        if [ "$only" != parity ]; then
            "$python" "$root_dir/tests/gpu/bench.py" "$build_dir" || status=1
        fi
        exit $status
        ;;
    *) usage >&2 && exit 2 ;;
esac
