// SPDX-License-Identifier: LGPL-2.1-or-later
// What every fuzz target promises of what it runs: tvw::Error and nothing else comes out of it,
// with a message fit for people; what loads is whole, and loads again as the same.
#pragma once

#include <tvw/checkpoint.h>
#include <tvw/error.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

namespace tvw::fuzz {

/// Ends the process, which libFuzzer records as a finding, unless `condition`.
void require(bool condition, const std::string &promise);

/// A file in memory with a path; there is one at a time.
class MemoryFile {
public:
    MemoryFile();
    ~MemoryFile();
    MemoryFile(const MemoryFile &) = delete;
    MemoryFile &operator=(const MemoryFile &) = delete;

    /// Replaces the content; the file is at least `least` bytes long.
    void set(const uint8_t *data, size_t size, size_t least = 0);
    const std::filesystem::path &path() const { return path_; }

private:
    int descriptor_;
    std::filesystem::path path_;
};

/// A result or the Error that stands in its place.
template<typename Result>
struct Outcome {
    std::optional<Result> result = {};
    std::optional<Error> error = {};
};

/// Requires of an error that it is of one of `kinds` and can be shown.
void check_error(const Error &error, std::initializer_list<ErrorKind> kinds);
void check_same_error(const Error &a, const Error &b);

/// What `call` answers or throws.
template<typename Call>
auto outcome_of(std::initializer_list<ErrorKind> kinds, Call call) {
    Outcome<decltype(call())> outcome;
    try {
        outcome.result = call();
    } catch (const Error &error) {
        check_error(error, kinds);
        outcome.error = error;
    }
    return outcome;
}

/// The same of two calls, which must agree; `check_same` compares what they answer.
template<typename Call, typename CheckSame>
auto outcome_of_two(std::initializer_list<ErrorKind> kinds, Call call, CheckSame check_same) {
    auto first = outcome_of(kinds, call);
    const auto second = outcome_of(kinds, call);
    require(first.result.has_value() == second.result.has_value(), "the same outcome twice");
    if (first.result)
        check_same(*first.result, *second.result);
    else
        check_same_error(*first.error, *second.error);
    return first;
}

/// Reads every byte that the tensors reach, and requires that they lie inside their storages.
void check_tensors(const StateDict &state_dict);
/// Requires the same keys, tensors, bytes and sharing.
void check_same_state_dict(const StateDict &a, const StateDict &b);
void check_same_checkpoint(const Checkpoint &a, const Checkpoint &b);

/// One limit, chosen by `choice`, is so low that small files reach it.
CheckpointLimits narrow_limits(size_t choice);
/// The usual ones, but for how much memory one small file may ask for.
CheckpointLimits usual_limits();

/// Writes the tensors as safetensors and reads them.
void check_saving(const StateDict &state_dict);

/// Loads the bytes as a checkpoint in every way, and checks all of the above.
/// Answers the state dict, where there is one.
std::optional<StateDict> check_checkpoint(const uint8_t *data, size_t size);

} // namespace tvw::fuzz
