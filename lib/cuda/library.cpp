// SPDX-License-Identifier: LGPL-2.1-or-later
// What libtvw finds behind tvw_cuda_v1.
#include "cuda/library.h"
#include "cuda/session.h"

#include <tvw/export.h>

#include <ATen/Context.h>
#include <c10/cuda/CUDAFunctions.h>

#include <map>
#include <mutex>

namespace tvw::cuda {
namespace {

class TorchLibrary : public Library {
public:
    bool is_known_to_torch() override { return at::globalContext().hasCUDART(); }

    int device_count() override { return c10::cuda::device_count(); }

    Session &session(int index) override {
        const std::lock_guard lock(mutex_);
        std::unique_ptr<Session> &session = sessions_[index];
        if (!session)
            session = make_session(index);
        return *session;
    }

private:
    std::mutex mutex_;
    std::map<int, std::unique_ptr<Session>> sessions_;
};

} // namespace
} // namespace tvw::cuda

extern "C" TVW_API tvw::cuda::Library *tvw_cuda_v1() {
    // Never destroyed: at exit the driver may be gone before us.
    static auto *library = new tvw::cuda::TorchLibrary;
    return library;
}
