// SPDX-License-Identifier: LGPL-2.1-or-later
// To be preloaded: a file that somebody else cuts while it is read. TVW_TEST_SHRINK=N empties the
// regular file before the Nth pread() of all.
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

int reads_left() {
    const char *wanted = std::getenv("TVW_TEST_SHRINK");
    return wanted != nullptr ? std::atoi(wanted) : 0;
}

void count_read(int descriptor) {
    static int left = reads_left();
    struct stat status {};
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && --left == 0)
        std::filesystem::resize_file("/proc/self/fd/" + std::to_string(descriptor), 0);
}

} // namespace

// Named as callers with 64-bit offsets name it, which is how everything here is compiled.
extern "C" __attribute__((visibility("default"))) ssize_t pread64(int descriptor, void *data,
                                                                  size_t size, __off64_t offset) {
    count_read(descriptor);
    static const auto next = reinterpret_cast<decltype(::pread64) *>(dlsym(RTLD_NEXT, "pread64"));
    return next(descriptor, data, size, offset);
}
