// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/checkpoint_bytes.h"

#include "support/suite.h"

#include <libdeflate.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

namespace tvw::test {
namespace {

template<typename T>
std::string little_endian(T value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

constexpr uint16_t kDeflated = 8;

uint32_t crc_of(const std::string &bytes) {
    return libdeflate_crc32(0, bytes.data(), bytes.size());
}

} // namespace

std::string deflated(const std::string &bytes) {
    libdeflate_compressor *compressor = libdeflate_alloc_compressor(1);
    std::string packed(libdeflate_deflate_compress_bound(compressor, bytes.size()), '\0');
    packed.resize(libdeflate_deflate_compress(compressor, bytes.data(), bytes.size(), packed.data(),
                                              packed.size()));
    libdeflate_free_compressor(compressor);
    return packed;
}

TemporaryFile::TemporaryFile(const std::string &bytes) {
    std::string name = (std::filesystem::temp_directory_path() / "tvw-test-XXXXXX").native();
    close(mkstemp(name.data()));
    path_ = name;
    std::ofstream(path_, std::ios::binary) << bytes;
}

TemporaryFile::~TemporaryFile() {
    std::filesystem::remove(path_);
}

std::string float_bytes(std::initializer_list<float> values) {
    std::string bytes;
    for (const float value : values)
        bytes += little_endian(value);
    return bytes;
}

Checkpoint load_bytes(const std::string &bytes, const CheckpointOptions &options) {
    return load_checkpoint(TemporaryFile(bytes).path(), options);
}

Error refusal(const std::string &bytes, const std::string &part, const CheckpointOptions &options) {
    const auto error = error_of([&] { load_bytes(bytes, options); });
    ck_assert_msg(error.has_value(), "loaded, though \"%s\"", part.c_str());
    ck_assert_msg(contains(error->what(), part), "\"%s\" does not say \"%s\"", error->what(),
                  part.c_str());
    constexpr size_t kTwoLines = 400;
    ck_assert(std::strlen(error->what()) < kTwoLines && !contains(error->what(), "\n"));
    return *error;
}

const HostTensor &tensor_of(const Checkpoint &checkpoint, const char *key) {
    const auto *value = checkpoint.state_dict.find(key);
    ck_assert_msg(value != nullptr, "there is no %s", key);
    return std::get<HostTensor>(*value);
}

std::string op::text(const std::string &text) {
    return "X" + little_endian(uint32_t(text.size())) + text;
}

std::string op::integer(int64_t number) {
    return "\x8a\x08" + little_endian(number);
}

std::string op::real(double number) {
    const std::string bytes = little_endian(number);
    return "G" + std::string(bytes.rbegin(), bytes.rend());
}

std::string op::tuple(std::initializer_list<int64_t> numbers) {
    std::string opcodes = "(";
    for (const int64_t number : numbers)
        opcodes += integer(number);
    return opcodes + "t";
}

std::string op::storage(const std::string &key, int64_t numel, const std::string &type,
                        const std::string &view) {
    return "(" + text("storage") + "ctorch\n" + type + "\n" + text(key) + text("cuda:7") +
           integer(numel) + view + "tQ";
}

std::string TensorOps::text() const {
    return "ctorch._utils\n_rebuild_tensor_v2\n(" + op::storage(key, numel, type, view) + offset +
           size + stride + "\x89NtR";
}

std::string pickle(const std::string &opcodes) {
    return "\x80\x02" + opcodes + ".";
}

std::string dict_pickle(const std::vector<std::pair<std::string, std::string>> &items) {
    std::string opcodes = "}";
    for (const auto &[key, value] : items)
        opcodes += op::text(key) + value + "s";
    return pickle(opcodes);
}

ZipWriter &ZipWriter::add_entry(const std::string &name, const std::string &packed, uint32_t size,
                                uint32_t crc, uint16_t method) {
    Entry entry{name, name, packed, crc, uint32_t(packed.size()), size};
    entry.method = method;
    entries_.push_back(entry);
    return *this;
}

ZipWriter &ZipWriter::add(const std::string &name, const std::string &bytes) {
    return add_entry(name, bytes, uint32_t(bytes.size()), crc_of(bytes), 0);
}

ZipWriter &ZipWriter::add_deflated(const std::string &name, const std::string &bytes) {
    return add_entry(name, deflated(bytes), uint32_t(bytes.size()), crc_of(bytes), kDeflated);
}

ZipWriter &ZipWriter::with_local_name(const std::string &name) {
    entries_.back().local_name = name;
    return *this;
}

ZipWriter &ZipWriter::with_crc(uint32_t crc) {
    entries_.back().crc = crc;
    return *this;
}

ZipWriter &ZipWriter::with_flags(uint16_t flags) {
    entries_.back().flags = flags;
    return *this;
}

ZipWriter &ZipWriter::with_method(uint16_t method) {
    entries_.back().method = method;
    return *this;
}

ZipWriter &ZipWriter::with_size(uint32_t size) {
    entries_.back().size = entries_.back().packed_size = size;
    return *this;
}

ZipWriter &ZipWriter::with_header_at(uint32_t offset) {
    entries_.back().header_at = offset;
    return *this;
}

ZipWriter &ZipWriter::gap(const std::string &bytes) {
    gap_ = bytes;
    return *this;
}

ZipWriter &ZipWriter::count(uint16_t entries) {
    count_ = entries;
    return *this;
}

std::string ZipWriter::finish() const {
    std::string file;
    std::string directory;
    const auto u16 = [](size_t value) { return little_endian(uint16_t(value)); };
    const auto u32 = [](size_t value) { return little_endian(uint32_t(value)); };
    for (const Entry &entry : entries_) {
        const auto common = [&](const std::string &name) {
            return u16(20) + u16(entry.flags) + u16(entry.method) + u32(0) + u32(entry.crc) +
                   u32(entry.packed_size) + u32(entry.size) + u16(name.size()) + u16(0);
        };
        const size_t header = entry.header_at >= 0 ? size_t(entry.header_at) : file.size();
        directory += "PK\1\2" + u16(20) + common(entry.name) + u16(0) + u16(0) + u16(0) + u32(0) +
                     u32(header) + entry.name;
        file += "PK\3\4" + common(entry.local_name) + entry.local_name + entry.bytes;
    }
    file += gap_;
    const size_t count = count_ >= 0 ? size_t(count_) : entries_.size();
    return file + directory + "PK\5\6" + u32(0) + u16(count) + u16(count) + u32(directory.size()) +
           u32(file.size()) + u16(0);
}

std::string torch_zip(const std::string &data_pkl) {
    return ZipWriter()
        .add("m/data.pkl", data_pkl)
        .add("m/byteorder", "little")
        .add("m/data/0", float_bytes({1, 2, 3, 4}))
        .add("m/version", "3\n")
        .finish();
}

std::string LegacyFile::bytes() const {
    std::string key_list = "](";
    for (const std::string &key : keys)
        key_list += op::text(key);
    std::string file = magic + pickle(op::integer(protocol)) +
                       dict_pickle({{"little_endian", little_endian ? "\x88" : "\x89"}}) +
                       dict_pickle({{"w", TensorOps{.size = size, .view = view}.text()}}) +
                       pickle(key_list + "e");
    for (size_t i = 0; i < keys.size(); ++i)
        file += test::little_endian(count) + float_bytes({1, 2, 3, 4});
    return file;
}

} // namespace tvw::test
