// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory that is kept from frame to frame.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace tvw {

/// Values from the start of a cache line on. Grows only, since the size of frames may change back
/// and forth, and then forgets what it held.
template<typename T>
class Room {
public:
    void reserve(size_t count) {
        if (count <= count_)
            return;
        memory_.reset(static_cast<T *>(::operator new(count * sizeof(T), kAlignment)));
        count_ = count;
    }
    T *data() { return memory_.get(); }
    const T *data() const { return memory_.get(); }

private:
    static constexpr std::align_val_t kAlignment{64};
    struct Free {
        void operator()(T *memory) const { ::operator delete(memory, kAlignment); }
    };
    std::unique_ptr<T, Free> memory_;
    size_t count_ = 0;
};

} // namespace tvw
