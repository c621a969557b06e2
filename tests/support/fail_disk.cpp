// SPDX-License-Identifier: LGPL-2.1-or-later
// To be preloaded: a disk without space. TVW_TEST_FAIL says which call fails: "write" to a regular
// file, "fsync", or "rename" of a new file to its name.
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

bool fails(std::string_view call) {
    const char *wanted = std::getenv("TVW_TEST_FAIL");
    return wanted != nullptr && call == wanted;
}

bool is_regular(int descriptor) {
    struct stat status {};
    return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

template<typename Function>
Function *next(const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

int no_space() {
    errno = ENOSPC;
    return -1;
}

} // namespace

#define TVW_REPLACES extern "C" __attribute__((visibility("default")))

TVW_REPLACES ssize_t write(int descriptor, const void *data, size_t size) {
    return fails("write") && is_regular(descriptor)
               ? no_space()
               : next<decltype(::write)>("write")(descriptor, data, size);
}

TVW_REPLACES int fsync(int descriptor) {
    return fails("fsync") ? no_space() : next<decltype(::fsync)>("fsync")(descriptor);
}

TVW_REPLACES int rename(const char *from, const char *to) {
    // Only of new files: moving aside, and back, needs no space.
    return fails("rename") && ends_with(from, ".part")
               ? no_space()
               : next<decltype(::rename)>("rename")(from, to);
}
