#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Prepares a Debian 12 or 13 machine and builds tvw. Safe to call again: does only what is missing.
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools/common.sh"
log_file=$deps_dir/setup.log

usage() {
    cat <<END
usage: ./setup.sh [--cuda] [--no-build]

Installs the Debian packages that are missing (as root or with sudo), puts LibTorch into
.deps/torch, and builds into build/. The output of every step goes to .deps/setup.log.

  --cuda       also what LibTorch needs for NVIDIA GPUs (cuDNN, cuBLAS and others, gigabytes)
  --no-build   stop before configuring and compiling
  --help       this text

TVW_BUILD=DIR builds into another folder.
END
}

build=yes
cuda=no
for argument; do
    case $argument in
        --cuda) cuda=yes ;;
        --no-build) build=no ;;
        --help) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
done

packages=(
    # to build
    ccache g++ meson ninja-build pkg-config python3-venv
    # libraries of the core, and the program
    libcli11-dev libdeflate-dev libfmt-dev libhwy-dev libssl-dev nlohmann-json3-dev
    # downloads
    libcurl4-openssl-dev
    # pictures
    libopencv-imgcodecs-dev libopencv-imgproc-dev
    # the plugin, and what pipelines need to decode and show video
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libpango1.0-dev
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav
    # unit tests
    check
)
# GstAnalytics came with GStreamer 1.24: Debian 13 has it, Debian 12 has not.
if [ "$(. /etc/os-release && echo "${ID:-}${VERSION_ID:-}")" != debian12 ]; then
    packages+=(libgstreamer-plugins-bad1.0-dev)
fi

: >"$log_file"
start=$SECONDS
install_packages "${packages[@]}"
# LibTorch is inside the PyTorch wheel. Without its dependencies it is a fifth of the size;
# libtorch_cpu needs two small libraries of them.
make_environment "$deps_dir/torch" --no-deps \
    "nvidia-cuda-runtime==13.2.*" "nvidia-cuda-cupti==13.2.*" "torch==$torch_version"
if [ $cuda = yes ] && [ "$(cat "$deps_dir/torch/installed-cuda" 2>/dev/null)" != "$torch_version" ]; then
    step "what LibTorch needs for NVIDIA GPUs" "$deps_dir/torch/bin/pip" install "torch==$torch_version"
    echo "$torch_version" >"$deps_dir/torch/installed-cuda"
fi
[ $build = yes ] || exit 0

if [ ! -f "$build_dir/build.ninja" ]; then
    step "configuring ${build_dir#"$root_dir"/}" meson setup "$build_dir" "$root_dir" \
        -Dtorch_prefix="$(torch_prefix)" -Dgstreamer=enabled -Dio=enabled -Ddownload=enabled
fi
if [ -t 1 ]; then
    ninja -C "$build_dir" || die "compiling failed"
else
    step "compiling" ninja -C "$build_dir"
fi
echo "tvw is built in $build_dir ($((SECONDS - start)) s)"
