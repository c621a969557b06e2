// SPDX-License-Identifier: LGPL-2.1-or-later
// After the first runs a model asks for no memory, however often it runs. TVW_LONG=1: 100,000
// times.
#include "support/count_allocations.h"
#include "support/suite.h"

#include <tvw/engine.h>

#include <cstdlib>
#include <fstream>

#include <unistd.h>

extern "C" tvw::EngineLibrary *tvw_engine_v1();

namespace {

std::unique_ptr<tvw::Engine> random_engine(const char *builder) {
    tvw::EngineConfig config;
    config.builder = builder;
    return tvw_engine_v1()->create(config);
}

int64_t resident_pages() {
    std::ifstream statm("/proc/self/statm");
    int64_t size = 0;
    int64_t resident = 0;
    statm >> size >> resident;
    return resident;
}

} // namespace

START_TEST(runs_allocate_nothing) {
    const int runs = std::getenv("TVW_LONG") != nullptr ? 100'000 : 500;
    const auto engine = random_engine("mobilenet_v3_small");
    const std::vector<tvw::NamedTensor> inputs{
        {"input", tvw::HostTensor::zeros(tvw::DType::kFloat32, {1, 3, 64, 64})}};
    std::vector<tvw::NamedTensor> outputs;
    for (int i = 0; i < 3; ++i)
        engine->run(inputs, outputs);

    const int64_t before = resident_pages();
    const long count = tvw::test::allocations_of([&] {
        for (int i = 0; i < runs; ++i)
            engine->run(inputs, outputs);
    });
    ck_assert_int_eq(count, 0);
    ck_assert_int_lt((resident_pages() - before) * getpagesize(), 1 << 20);
}
END_TEST

START_TEST(results_that_are_kept_are_not_written_over) {
    const auto engine = random_engine("squeezenet1_1");
    std::vector<tvw::NamedTensor> inputs{
        {"input", tvw::HostTensor::zeros(tvw::DType::kFloat32, {1, 3, 64, 64})}};
    std::vector<tvw::NamedTensor> outputs;
    engine->run(inputs, outputs);
    const tvw::HostTensor kept = outputs.front().tensor;
    const float first = kept.values<float>()[0];
    inputs.front().tensor.mutable_values<float>()[0] = 1000;
    engine->run(inputs, outputs);
    ck_assert_float_eq(kept.values<float>()[0], first);
    ck_assert_float_ne(outputs.front().tensor.values<float>()[0], first);
}
END_TEST

int main() {
    return tvw::test::run_suite("allocations",
                                {runs_allocate_nothing, results_that_are_kept_are_not_written_over},
                                /*timeout_s=*/900);
}
