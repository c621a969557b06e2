// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts what a program and its libraries ask operator new for. Included once in a program.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace tvw::test {

inline std::atomic<bool> counting{false};
inline std::atomic<long> allocations{0};

/// How often `call` allocates, in any thread.
template<typename Call>
long allocations_of(const Call &call) {
    allocations = 0;
    counting = true;
    call();
    counting = false;
    return allocations;
}

inline void *allocate(size_t bytes, size_t alignment) {
    if (counting)
        ++allocations;
    void *memory = nullptr;
    if (posix_memalign(&memory, alignment, bytes) != 0)
        throw std::bad_alloc();
    return memory;
}

} // namespace tvw::test

void *operator new(size_t bytes) {
    return tvw::test::allocate(bytes, alignof(std::max_align_t));
}
void *operator new(size_t bytes, std::align_val_t alignment) {
    return tvw::test::allocate(bytes, size_t(alignment));
}
void operator delete(void *memory) noexcept {
    std::free(memory);
}
void operator delete(void *memory, size_t /*bytes*/) noexcept {
    std::free(memory);
}
void operator delete(void *memory, std::align_val_t /*alignment*/) noexcept {
    std::free(memory);
}
void operator delete(void *memory, size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
    std::free(memory);
}
