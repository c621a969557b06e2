// SPDX-License-Identifier: LGPL-2.1-or-later
// Leaks one buffer, so that the test of leaks can show that it finds one.
#include <gst/gst.h>

int main() {
    gst_init(nullptr, nullptr);
    // Reported at the end, since nothing ever takes this reference back.
    gst_buffer_new();
    gst_deinit();
}
