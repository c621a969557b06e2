// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/memory.h"

#include <mutex>
#include <new>

#include <sys/mman.h>

namespace tvw::cpu {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kBlock = 8 * kHugePage;
constexpr size_t kAlignment = 64;

constexpr size_t rounded(size_t size, size_t step) {
    return (size + step - 1) / step * step;
}

/// Whole huge pages of the system's memory, zero until written; those that nobody touches cost
/// nothing.
class Block {
public:
    explicit Block(size_t bytes) : mapped_(bytes + kHugePage) {
        map_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map_ == MAP_FAILED)
            throw std::bad_alloc();
        const auto address = reinterpret_cast<size_t>(map_);
        first_ = static_cast<std::byte *>(map_) + (rounded(address, kHugePage) - address);
        madvise(first_, bytes, MADV_HUGEPAGE); // advice: without it pages are small
    }
    ~Block() { munmap(map_, mapped_); }
    Block(const Block &) = delete;
    Block &operator=(const Block &) = delete;

    std::byte *first() const { return first_; }

private:
    void *map_;
    size_t mapped_;
    std::byte *first_;
};

std::shared_ptr<float[]> part_of(const std::shared_ptr<Block> &block, size_t offset) {
    return {block, reinterpret_cast<float *>(block->first() + offset)};
}

} // namespace

std::shared_ptr<float[]> aligned_floats(size_t count) {
    const size_t bytes = rounded(count * sizeof(float), kAlignment);
    if (bytes > kBlock / 2)
        return part_of(std::make_shared<Block>(rounded(bytes, kHugePage)), 0);

    static std::mutex mutex;
    static std::weak_ptr<Block> current;
    static size_t used = 0;
    const std::lock_guard lock(mutex);
    std::shared_ptr<Block> block = current.lock();
    if (!block || used + bytes > kBlock) {
        block = std::make_shared<Block>(kBlock);
        current = block;
        used = 0;
    }
    used += bytes;
    return part_of(block, used - bytes);
}

} // namespace tvw::cpu
