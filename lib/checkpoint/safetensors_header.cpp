// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/safetensors_header.h"

#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace tvw {
namespace {

struct Name {
    DType dtype;
    std::string_view text;
};
constexpr Name kNames[] = {
    {DType::kBool, "BOOL"},   {DType::kUInt8, "U8"},      {DType::kInt8, "I8"},
    {DType::kInt16, "I16"},   {DType::kInt32, "I32"},     {DType::kInt64, "I64"},
    {DType::kFloat16, "F16"}, {DType::kBFloat16, "BF16"}, {DType::kFloat32, "F32"},
    {DType::kFloat64, "F64"},
};

// Numbers of the shape: as many as other containers may have.
constexpr size_t kLargestRank = 8;

/// Goes over the text for the parser and says how far it came, which the parser's events do not.
class CountingIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char *;
    using reference = const char &;

    CountingIterator(const char *position, const char *&reached)
        : position_(position), reached_(&reached) {}

    const char &operator*() const { return *position_; }
    CountingIterator &operator++() {
        *reached_ = ++position_;
        return *this;
    }
    bool operator==(const CountingIterator &other) const { return position_ == other.position_; }

private:
    const char *position_;
    const char **reached_;
};

/// Takes the parser's events one by one and stops it at the first that does not belong: the header
/// is {name: {"dtype": string, "shape": [int…], "data_offsets": [int, int]}…}, and nothing is
/// stored for anything else.
class HeaderHandler : public nlohmann::json::json_sax_t {
public:
    /// `reached` moves behind what the parser has read.
    HeaderHandler(const CheckpointLimits &limits, const char *const &reached)
        : limits_(limits), begin_(reached), reached_(reached) {}

    std::vector<SafetensorsEntry> entries;
    std::string problem;
    ErrorKind kind = ErrorKind::kCorruptFile; ///< of the problem

    /// Offset in the file of the last byte that was read.
    uint64_t at() const {
        return kSafetensorsPrefix + uint64_t(std::max<ptrdiff_t>(reached_ - begin_ - 1, 0));
    }

    bool null() override { return stop("null"); }
    bool boolean(bool) override { return stop("a boolean"); }
    bool number_integer(number_integer_t) override { return stop("a negative number"); }
    bool number_float(number_float_t, const string_t &) override { return stop("a float"); }
    bool binary(binary_t &) override { return stop("binary data"); }
    bool number_unsigned(number_unsigned_t value) override;
    bool string(string_t &value) override;
    bool start_object(std::size_t) override;
    bool key(string_t &name) override;
    bool end_object() override;
    bool start_array(std::size_t) override;
    bool end_array() override;
    bool parse_error(std::size_t, const std::string &,
                     const nlohmann::detail::exception &) override {
        return stop("no valid JSON here");
    }

private:
    enum class State { kStart, kHeader, kEntry, kArray, kMetadata, kEnd };

    bool stop(const std::string &what) {
        problem = "the header has " + what + place();
        return false;
    }
    bool stop_at_limit(std::string_view what, uint64_t limit) {
        kind = ErrorKind::kNotSupported;
        return stop(fmt::format("{} than the limit of {}", what, limit));
    }
    std::string place() const;
    bool begin_entry(string_t &name);
    bool begin_field(string_t &name);

    const CheckpointLimits &limits_;
    const char *const begin_;
    const char *const &reached_;
    State state_ = State::kStart;
    std::set<std::string, std::less<>> names_;
    std::string field_;
    std::set<std::string, std::less<>> fields_;
    std::vector<uint64_t> *numbers_ = nullptr;
    size_t most_numbers_ = 0;
};

std::string HeaderHandler::place() const {
    if (state_ == State::kMetadata)
        return " in its metadata";
    if ((state_ == State::kEntry || state_ == State::kArray) && !entries.empty())
        return " in " + in_quotes(entries.back().name);
    return "";
}

bool HeaderHandler::start_object(std::size_t) {
    if (state_ == State::kStart) {
        state_ = State::kHeader;
        return true;
    }
    // key() has chosen what the object is.
    if (state_ == State::kHeader && !field_.empty()) {
        state_ = field_ == kSafetensorsMetadata ? State::kMetadata : State::kEntry;
        fields_.clear();
        field_.clear();
        return true;
    }
    return stop("an object where none belongs");
}

bool HeaderHandler::key(string_t &name) {
    if (name.size() > limits_.string_bytes)
        return stop_at_limit("a name longer", limits_.string_bytes);
    if (state_ == State::kHeader)
        return begin_entry(name);
    if (state_ == State::kEntry)
        return begin_field(name);
    return true;
}

bool HeaderHandler::begin_entry(string_t &name) {
    if (name.empty() || !names_.insert(name).second)
        return stop("the name " + in_quotes(name) + (name.empty() ? "" : " twice"));
    field_ = name;
    if (name == kSafetensorsMetadata)
        return true;
    if (entries.size() >= limits_.tensors)
        return stop_at_limit("more tensors", limits_.tensors);
    entries.push_back({name, {}, {}, {}, at()});
    return true;
}

bool HeaderHandler::begin_field(string_t &name) {
    if (name != "dtype" && name != "shape" && name != "data_offsets")
        return stop("the unknown field " + in_quotes(name));
    if (!fields_.insert(name).second)
        return stop("the field " + in_quotes(name) + " twice");
    field_ = name;
    return true;
}

bool HeaderHandler::string(string_t &value) {
    if (state_ == State::kMetadata)
        return true;
    if (state_ != State::kEntry || field_ != "dtype")
        return stop("a string where none belongs");
    entries.back().dtype = value;
    return true;
}

bool HeaderHandler::start_array(std::size_t) {
    if (state_ != State::kEntry || (field_ != "shape" && field_ != "data_offsets"))
        return stop("an array where none belongs");
    const bool shape = field_ == "shape";
    numbers_ = shape ? &entries.back().shape : &entries.back().range;
    most_numbers_ = shape ? kLargestRank : 2;
    state_ = State::kArray;
    return true;
}

bool HeaderHandler::number_unsigned(number_unsigned_t value) {
    if (state_ != State::kArray || numbers_->size() >= most_numbers_)
        return stop("a number where none belongs");
    numbers_->push_back(value);
    return true;
}

bool HeaderHandler::end_array() {
    state_ = State::kEntry;
    return true;
}

bool HeaderHandler::end_object() {
    if (state_ == State::kEntry && (fields_.size() != 3 || entries.back().range.size() != 2))
        return stop("too few fields");
    state_ = state_ == State::kHeader ? State::kEnd : State::kHeader;
    return true;
}

} // namespace

std::string_view safetensors_name(DType dtype) {
    const auto *name = std::find_if(std::begin(kNames), std::end(kNames),
                                    [&](const Name &n) { return n.dtype == dtype; });
    return name != std::end(kNames) ? name->text : "";
}

std::optional<DType> safetensors_dtype(std::string_view name) {
    const auto *known = std::find_if(std::begin(kNames), std::end(kNames),
                                     [&](const Name &n) { return n.text == name; });
    return known != std::end(kNames) ? std::optional(known->dtype) : std::nullopt;
}

std::vector<SafetensorsEntry> read_safetensors_header(const Source &source, uint64_t size,
                                                      const CheckpointLimits &limits) {
    if (size > limits.pickle_bytes) {
        source.unsupported(0, fmt::format("a header of {} bytes, more than the limit of {}", size,
                                          limits.pickle_bytes));
    }
    if (size > source.size() - kSafetensorsPrefix) {
        source.corrupt(0, fmt::format("a header of {} bytes reaches past the end of the file; is "
                                      "the download complete?",
                                      size));
    }
    std::string text(size, '\0');
    source.read(kSafetensorsPrefix, std::as_writable_bytes(std::span(text)));
    // To the parser it is the end, and what stands behind it would not count.
    if (const size_t nul = text.find('\0'); nul != std::string::npos)
        source.corrupt(kSafetensorsPrefix + nul, "the header has a NUL");
    const char *reached = text.data();
    const char *const end = reached + text.size();
    HeaderHandler handler(limits, reached);
    if (!nlohmann::json::sax_parse(CountingIterator(reached, reached),
                                   CountingIterator(end, reached), &handler))
        source.fail(handler.kind, handler.at(), handler.problem);
    return std::move(handler.entries);
}

} // namespace tvw
