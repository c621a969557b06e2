// SPDX-License-Identifier: LGPL-2.1-or-later
// What the commands that measure share: which network, with which input, on which processor.
#pragma once

#include <tvw/engine.h>

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

namespace tvw::cli {

/// The options of both commands.
struct MeasureOptions {
    std::string model; ///< a builder, Enum.MEMBER or a descriptor
    int64_t batch = 1;
    std::vector<int64_t> size; ///< side, or height and width; empty: that of the checkpoint
    int threads = 0;
    int rounds = 0;
    std::string backend = "auto";
    std::string device = "auto";
    std::string precision = "fp32";
};

void add_measure_options(CLI::App &command, MeasureOptions &options);

/// A network that is ready, and what it is run with.
struct Measured {
    std::string model;   ///< the builder, or the checkpoint's name
    EngineConfig config; ///< with the number of threads that are used
    Shape shape;         ///< of the input
    std::unique_ptr<Engine> engine;
    std::vector<NamedTensor> inputs;
};

/// A builder's name is taken with random parameters, and arguments as for its DEFAULT; all else
/// with its checkpoint, which may be downloaded. Errors as of find_weights() and
/// EngineLibrary::create.
Measured prepare(const MeasureOptions &options);

/// The processor as its maker calls it: the CPU, or the GPU that the network runs on.
std::string processor_name(const Measured &measured);

/// The middle one, or the mean of the two in the middle. At least one value.
double median(std::vector<double> values);

/// "resnet50, batch 1, 224×224, 2 threads, backend auto" (on a GPU the precision) and the
/// processor: two lines.
std::string heading(const Measured &measured, const MeasureOptions &options);

/// Operations in billions a second; 0 where no time passed.
inline double gflops_per_second(double operations, double milliseconds) {
    return milliseconds > 0 ? operations / milliseconds / 1e6 : 0;
}

} // namespace tvw::cli
