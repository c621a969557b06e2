#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds and tests a copy of the work tree in a Debian 13 root (GStreamer 1.26, with GstAnalytics),
# made by debootstrap on the first call and kept in .deps/debian13.
# Results: .deps/debian13/tvw/build/meson-logs/testlog.json and .deps/debian13/tvw/element.xml.
set -euo pipefail
# shellcheck source=../tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/common.sh"
log_file=$deps_dir/debian13.log
root=$deps_dir/debian13

# Everything below needs mounts; in a mount namespace of our own they are gone when we are.
if [ "${TVW_IN_NAMESPACE:-}" != yes ]; then
    : >"$log_file"
    install_packages debootstrap
    as_root env TVW_IN_NAMESPACE=yes unshare --mount --propagation private -- "$0"
    exit
fi

make_root() {
    rm -rf "$root" "$root.new"
    debootstrap --variant=minbase --include=ca-certificates trixie "$root.new" && mv "$root.new" "$root"
}

update_source() {
    mkdir -p "$root/tvw"
    # Only what was built before stays.
    find "$root/tvw" -mindepth 1 -maxdepth 1 ! -name .deps ! -name build -exec rm -rf {} +
    copy_source "$root/tvw"
}

mount_host() {
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    # The machine's way to the network: names, certificates, pip's settings.
    local file
    for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs /etc/pip.conf; do
        [ -e "$file" ] || continue
        if [ -d "$file" ]; then mkdir -p "$root$file"; else touch "$root$file"; fi
        mount --bind -o ro "$(realpath "$file")" "$root$file"
    done
}

inside() {
    chroot "$root" /usr/bin/env HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        bash -c "cd /tvw && $1"
}

[ -d "$root" ] || step "Debian 13 root" make_root
step "copy of the source" update_source
mount_host
inside "./setup.sh"
inside "source tools/common.sh && log_file=.deps/setup.log &&
    install_packages python3-gi python3-pytest gir1.2-gst-plugins-bad-1.0 gir1.2-gst-plugins-base-1.0"
rm -f "$root/tvw/build/meson-logs/testlog.json" "$root/tvw/element.xml"
status=0
inside "meson test -C build --print-errorlogs" >>"$log_file" 2>&1 || status=1
inside "python3 -m pytest -q -p no:cacheprovider -o junit_family=xunit1 \
    --junitxml=element.xml tests/gst" \
    >>"$log_file" 2>&1 || status=1
# What Debian 12 has to skip must run here.
inside "python3 tests/count.py junit element.xml" | head -n 1 | grep -q ' 0$' || status=1
exit $status
