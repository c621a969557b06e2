// SPDX-License-Identifier: LGPL-2.1-or-later
// A GPU that can be used, or why none can.
#pragma once

#include "cuda/library.h"

#include <tvw/error.h>

#include <functional>
#include <string>

namespace tvw::cuda {

/// A GPU has no room for what was to be done.
class OutOfMemory : public Error {
public:
    using Error::Error;
};

/// Without LibTorch's warnings, which would be printed.
void quietly(const std::function<void()> &call);

/// One GPU of this machine. Called on its worker only.
class Gpu {
public:
    /// The first call for a GPU may take seconds: it loads libtvw-cuda and with it LibTorch's CUDA
    /// libraries. Error(kNotSupported) says which part is missing (driver, GPU, libtvw-cuda,
    /// libraries) and what to try.
    static Gpu &open(int index);

    Gpu(int index, Session &session) : index_(index), session_(session) {}

    int index() const { return index_; }
    Session &session() { return session_; }
    /// "cuda:0 (NVIDIA H100 80GB HBM3)"
    std::string name() const;

    /// Runs `job` on the session's stream and waits for what it enqueued, even if it throws.
    /// OutOfMemory where memory ran out. Any other error of CUDA is final: what has been enqueued
    /// is lost and nothing will run on this GPU until the process ends, so this and all later calls
    /// fail with that error.
    void run(const std::function<void()> &job);

private:
    void run_to_the_end(const std::function<void()> &job);

    int index_;
    Session &session_;
    std::string failure_; ///< not empty after an error that is final
};

} // namespace tvw::cuda
