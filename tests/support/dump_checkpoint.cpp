// SPDX-License-Identifier: LGPL-2.1-or-later
// Shows Python what the checkpoint reader made of a file.
//   dump_checkpoint FILE JSON BYTES   describes every entry in JSON, its packed elements in BYTES
//   dump_checkpoint --try FILE...     one JSON line per file: loaded or the error, seconds, and the
//                                     process's peak memory so far in MiB
//   dump_checkpoint --damage FILE COPY
//                                     the same, with a digest of what was loaded, for FILE, every
//                                     FILE with one bit changed and every shorter FILE, each
//                                     written to COPY in turn
#include <tvw/checkpoint.h>
#include <tvw/error.h>

#include "base/sha256.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

namespace {

using Json = nlohmann::ordered_json;
using tvw::HostTensor;

class Dumper {
public:
    /// Packed elements are appended to `bytes`.
    explicit Dumper(std::ostream &bytes) : bytes_(bytes) {}

    Json entries(const tvw::Checkpoint &checkpoint) {
        Json entries = Json::array();
        for (const auto &[key, value] : checkpoint.state_dict.entries())
            entries.push_back({key, describe(value)});
        return entries;
    }

private:
    Json describe(const tvw::StateValue &value) {
        if (const auto *dtype = std::get_if<tvw::DType>(&value))
            return tvw::dtype_name(*dtype);
        if (const auto *tensor = std::get_if<HostTensor>(&value))
            return describe(*tensor);
        Json list = Json::array();
        for (const HostTensor &tensor : std::get<std::vector<HostTensor>>(value))
            list.push_back(describe(tensor));
        return list;
    }

    Json describe(const HostTensor &tensor) {
        const HostTensor packed = tensor.contiguous();
        const size_t size = tvw::item_size(packed.dtype());
        const auto begin = bytes_.tellp();
        const auto length = std::streamsize(size_t(packed.numel()) * size);
        bytes_.write(reinterpret_cast<const char *>(packed.storage()->data()) +
                         size_t(packed.offset()) * size,
                     length);
        const auto storage = storages_.emplace(tensor.storage().get(), storages_.size()).first;
        Json json{{"dtype", tvw::dtype_name(tensor.dtype())},
                  {"shape", tensor.shape()},
                  {"strides", tensor.strides()},
                  {"offset", tensor.offset()},
                  {"storage", storage->second},
                  {"bytes", {std::streamoff(begin), std::streamoff(begin) + length}}};
        if (const auto &quantization = tensor.quantization()) {
            json["quantization"] = {{"per_channel", quantization->per_channel},
                                    {"axis", quantization->axis},
                                    {"scales", quantization->scales},
                                    {"zero_points", quantization->zero_points}};
        }
        return json;
    }

    std::ostream &bytes_;
    std::map<const tvw::Storage *, size_t> storages_;
};

void dump(const char *file, const char *json, const char *bytes) {
    const tvw::Checkpoint checkpoint = tvw::load_checkpoint(file);
    std::ofstream elements(bytes, std::ios::binary);
    std::ofstream(json) << Json{{"container", tvw::container_name(checkpoint.container)},
                                {"digest", checkpoint.digest},
                                {"entries", Dumper(elements).entries(checkpoint)}};
}

/// Of everything that a user of the state dict can see.
std::string content_digest(const tvw::Checkpoint &checkpoint) {
    std::ostringstream bytes;
    std::string all = Dumper(bytes).entries(checkpoint).dump();
    all += bytes.str();
    tvw::Sha256 sha;
    sha.update(std::as_bytes(std::span(all)));
    return sha.finish();
}

/// Of this program alone: getrusage() still knows the process that started it.
int64_t peak_mib() {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
        if (word == "VmHWM:") {
            int64_t kib = 0;
            status >> kib;
            return kib / 1024;
        }
    }
    return 0;
}

/// `answer` is what to say before the rest.
void try_file(const char *file, Json answer, bool with_content) {
    const auto begin = std::chrono::steady_clock::now();
    answer["loaded"] = false;
    try {
        const tvw::Checkpoint checkpoint = tvw::load_checkpoint(file);
        answer["loaded"] = true;
        if (with_content)
            answer["content"] = content_digest(checkpoint);
    } catch (const tvw::Error &error) {
        answer["kind"] = tvw::error_kind_name(error.kind());
        answer["message"] = error.what();
        answer["offset"] = error.offset() ? Json(*error.offset()) : Json();
    }
    answer["seconds"] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    answer["peak_mib"] = peak_mib();
    std::printf("%s\n", answer.dump().c_str());
}

void try_damage(const char *file, const char *copy) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    std::fstream out(copy, std::ios::binary | std::ios::in | std::ios::out | std::ios::trunc);
    const auto write = [&](size_t position, int byte) {
        out.seekp(std::streamoff(position)).put(char(byte)).flush();
    };
    out << bytes << std::flush;
    try_file(copy, {}, true);
    for (size_t position = 0; position < bytes.size(); ++position) {
        for (int bit = 0; bit < 8; ++bit) {
            write(position, bytes[position] ^ (1 << bit));
            try_file(copy, {{"byte", position}, {"bit", bit}}, true);
        }
        write(position, bytes[position]);
    }
    for (size_t size = bytes.size(); size-- > 0;) {
        std::filesystem::resize_file(copy, size);
        try_file(copy, {{"size", size}}, true);
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc > 2 && std::string_view(argv[1]) == "--try") {
        for (int i = 2; i < argc; ++i)
            try_file(argv[i], {{"file", argv[i]}}, false);
        return 0;
    }
    if (argc != 4)
        return 2;
    if (std::string_view(argv[1]) == "--damage") {
        try_damage(argv[2], argv[3]);
        return 0;
    }
    dump(argv[1], argv[2], argv[3]);
    return 0;
}
