// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs one network for models.py: run_model BUILDER CHECKPOINT INPUT N,C,H,W OUTPUT THREADS BACKEND
// writes the output and says "ready"; then it answers each line of its input with one line:
// "run COUNT"   the median seconds of COUNT runs, after one that does not count
// "operations"  multiplications and additions of a run
// "peak"        those that this processor does in a second at best, on as many threads
#include <tvw/engine.h>
#include <tvw/error.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr int kChains = 12; // more than the fused multiply-adds that any core has in flight

using Vector128 = float __attribute__((vector_size(16)));
using Vector256 = float __attribute__((vector_size(32)));
using Vector512 = float __attribute__((vector_size(64)));

/// Independent chains of fused multiply-adds.
template<typename Vector>
[[gnu::always_inline]] inline float multiply_add(long steps) {
    Vector sums[kChains];
    for (int i = 0; i < kChains; ++i)
        sums[i] = Vector{} + float(i);
    for (long step = 0; step < steps; ++step) {
        for (Vector &sum : sums) // towards 1, so never denormal
            sum = sum * 0.75F + 0.25F;
    }
    float total = 0;
    for (const Vector &sum : sums)
        total += sum[0];
    return total;
}

struct VectorUnit {
    int width; ///< floats
    float (*multiply_add)(long steps);
};

#ifdef __x86_64__
[[gnu::target("avx512f")]] float multiply_add_avx512(long steps) {
    return multiply_add<Vector512>(steps);
}
[[gnu::target("avx2,fma")]] float multiply_add_avx2(long steps) {
    return multiply_add<Vector256>(steps);
}
#endif
float multiply_add_128(long steps) {
    return multiply_add<Vector128>(steps);
}

VectorUnit widest_unit() {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return {16, multiply_add_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return {8, multiply_add_avx2};
#endif
    return {4, multiply_add_128};
}

/// Operations a second; the best of several tries, since a try may be interrupted.
double peak(int threads) {
    constexpr long kSteps = 5'000'000;
    constexpr int kTries = 5;
    const VectorUnit unit = widest_unit();
    std::vector<float> sink(static_cast<size_t>(threads));
    double best = 0;
    for (int i = 0; i < kTries; ++i) {
        const Clock::time_point begin = Clock::now();
        std::vector<std::thread> team;
        for (float &result : sink)
            team.emplace_back([&result, unit] { result = unit.multiply_add(kSteps); });
        for (std::thread &thread : team)
            thread.join();
        const double operations = 2.0 * kSteps * kChains * unit.width * threads;
        best = std::max(best, operations / seconds_since(begin));
    }
    return best;
}

tvw::Shape parse_shape(const std::string &text) {
    tvw::Shape shape;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');)
        shape.push_back(std::stoll(part));
    return shape;
}

tvw::HostTensor read_floats(const char *file, const tvw::Shape &shape) {
    tvw::HostTensor tensor = tvw::HostTensor::zeros(tvw::DType::kFloat32, shape);
    std::ifstream in(file, std::ios::binary);
    if (!in.read(reinterpret_cast<char *>(tensor.storage()->data()), tensor.numel() * 4))
        throw tvw::Error(tvw::ErrorKind::kIo, std::string(file) + " is shorter than its shape");
    return tensor;
}

void write_floats(const char *file, const tvw::HostTensor &tensor) {
    const auto values = tensor.values<float>();
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char *>(values.data()), long(values.size_bytes()));
}

double median_seconds(tvw::Engine &engine, const std::vector<tvw::NamedTensor> &inputs, int count) {
    engine.run(inputs);
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
        const Clock::time_point begin = Clock::now();
        engine.run(inputs);
        times.push_back(seconds_since(begin));
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

int serve(char **arguments) {
    const tvw::Shape shape = parse_shape(arguments[4]);
    tvw::EngineConfig config;
    config.builder = arguments[1];
    config.checkpoint = std::make_shared<tvw::Checkpoint>(tvw::load_checkpoint(arguments[2]));
    config.threads = std::stoi(arguments[6]);
    config.backend = tvw::parse_backend(arguments[7]);
    config.precision = tvw::parse_precision(arguments[8]);
    const auto engine = tvw::engine_library().create(config);
    config.checkpoint.reset(); // the engine has what it needs
    const std::vector<tvw::NamedTensor> inputs{{"input", read_floats(arguments[3], shape)}};
    write_floats(arguments[5], engine->run(inputs).front().tensor);
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        double answer = 0;
        if (line.starts_with("run "))
            answer = median_seconds(*engine, inputs, std::stoi(line.substr(4)));
        else if (line == "operations")
            answer = tvw::engine_library().operations(
                {.builder = config.builder, .arguments = config.arguments, .input_shape = shape});
        else if (line == "peak")
            answer = peak(config.threads);
        std::printf("%.9g\n", answer);
        std::fflush(stdout);
    }
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 9) {
        std::fputs("usage: run_model BUILDER CHECKPOINT INPUT N,C,H,W OUTPUT THREADS BACKEND "
                   "PRECISION\n",
                   stderr);
        return 2;
    }
    try {
        return serve(argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "run_model: %s\n", error.what());
        return 1;
    }
}
