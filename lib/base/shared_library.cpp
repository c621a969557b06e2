// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/shared_library.h"

#include <tvw/error.h>

#include <dlfcn.h>

#include <filesystem>

namespace tvw {
namespace {

/// The folder of the file that holds this code; empty if the loader cannot tell.
std::filesystem::path own_folder() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void *>(&open_library), &info) == 0 || !info.dli_fname)
        return {};
    return std::filesystem::path(info.dli_fname).parent_path();
}

[[noreturn]] void fail(const std::string &file) {
    const char *reason = dlerror();
    throw Error(ErrorKind::kNotSupported,
                "cannot use " + file + ": " + (reason ? reason : "unknown reason"));
}

} // namespace

void *open_library(const std::string &name, const char *symbol) {
    const std::string file = "lib" + name + ".so." TVW_SOVERSION;
    const std::filesystem::path beside = own_folder() / file;
    std::error_code ignored;
    // Where our own copy exists but does not load, its reason is the one worth reading.
    const std::string target = std::filesystem::exists(beside, ignored) ? beside.string() : file;
    void *library = dlopen(target.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail(target);
    void *address = dlsym(library, symbol);
    if (!address)
        fail(target);
    return address;
}

} // namespace tvw
