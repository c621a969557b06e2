#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds two copies of the source in folders of different names and compares what they install.
set -euo pipefail
# shellcheck source=../tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/common.sh"

work=$deps_dir/reproducible
rm -rf "$work"
for copy in one another-with-a-longer-name; do
    mkdir -p "$work/$copy/source"
    copy_source "$work/$copy/source"
    # Compiled anew both times: the compiler cache would hide a difference.
    (cd "$work/$copy/source" && export CCACHE_DISABLE=1 &&
        meson setup ../build --prefix=/usr --libdir=lib -Dtests=false \
            -Dtorch_prefix="$(torch_prefix)" &&
        ninja -C ../build && DESTDIR=$work/$copy/installed meson install -C ../build --quiet)
    (cd "$work/$copy/installed" && find . -type f -print0 | sort -z | xargs -0 sha256sum) \
        >"$work/$copy/sums"
done
diff "$work"/*/sums
echo "$(wc -l <"$work/one/sums") installed files are equal in both builds"
