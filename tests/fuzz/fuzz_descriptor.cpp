// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is a descriptor; the lists of categories that it may name stand beside it.
#include "fuzz/mutate_json.h"
#include "fuzz/target.h"

#include <tvw/weights.h>

#include <cstdlib>
#include <fstream>

using namespace tvw;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kWords[] = {"\"$schema\"",
                                       "\"builder\"",
                                       "\"resnet50\"",
                                       "\"vit_b_16\"",
                                       "\"quantized_resnet18\"",
                                       "\"r3d_18\"",
                                       "\"fcn_resnet50\"",
                                       "\"url\"",
                                       "\"https://host/a-01234567.pth\"",
                                       "\"checkpoint\"",
                                       "\"a.pth\"",
                                       "\"sha256\"",
                                       "\"0123abcd\"",
                                       "\"arguments\"",
                                       "\"default_arguments\"",
                                       "\"num_classes\"",
                                       "2",
                                       "1000",
                                       "\"categories\"",
                                       "\"two.txt\"",
                                       "\"bad.txt\"",
                                       "[\"a\",\"b\"]",
                                       "\"state_dict_key\"",
                                       "\"strip_prefix\"",
                                       "\"module.\"",
                                       "\"transforms\"",
                                       "\"preset\"",
                                       "\"ImageClassification\"",
                                       "\"SemanticSegmentation\"",
                                       "\"VideoClassification\"",
                                       "\"ObjectDetection\"",
                                       "\"OpticalFlow\"",
                                       "\"crop_size\"",
                                       "224",
                                       "[224,224]",
                                       "\"resize_size\"",
                                       "\"mean\"",
                                       "\"std\"",
                                       "[0.5,0.5,0.5]",
                                       "[0,0,0]",
                                       "\"interpolation\"",
                                       "\"nearest\"",
                                       "\"bicubic\"",
                                       "\"antialias\"",
                                       "\"meta\"",
                                       "\"num_params\"",
                                       "\"min_size\"",
                                       "[1,1]",
                                       "\"min_temporal_size\"",
                                       "\"keypoint_names\"",
                                       "\"recipe\"",
                                       "\"license\"",
                                       "\"backend\"",
                                       "\"unquantized\"",
                                       "\"_metrics\"",
                                       "{\"ImageNet-1K\":{\"acc@1\":76.1}}",
                                       "\"_ops\"",
                                       "\"_file_size\"",
                                       "\"_docs\""};

/// A folder with a descriptor, which is the input in memory, and two lists of categories.
class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "tvw-fuzz-XXXXXX").native();
        fuzz::require(mkdtemp(name.data()) != nullptr, "a temporary folder can be made");
        path_ = name;
        fs::create_symlink(input_.path(), descriptor());
        std::ofstream(path_ / "two.txt") << "cat\ndog\n";
        std::ofstream(path_ / "bad.txt") << "cat\n\n\x1b[0m\n";
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;

    fuzz::MemoryFile &input() { return input_; }
    fs::path descriptor() const { return path_ / "input.json"; }

private:
    fuzz::MemoryFile input_;
    fs::path path_;
};

void check_same(const Weights &a, const Weights &b) {
    fuzz::require(
        a.name() == b.name() && a.builder() == b.builder() && a.arguments() == b.arguments() &&
            a.default_arguments() == b.default_arguments() && a.url() == b.url() &&
            a.checkpoint() == b.checkpoint() && a.sha256() == b.sha256() &&
            a.state_dict_key() == b.state_dict_key() && a.strip_prefix() == b.strip_prefix() &&
            a.meta_json() == b.meta_json() && repr(a.transforms()) == repr(b.transforms()),
        "the same weights twice");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Folder folder;
    folder.input().set(data, size);
    static constexpr auto kKinds = {
        ErrorKind::kInvalidArgument, ErrorKind::kNotFound, ErrorKind::kIo,
        ErrorKind::kCorruptFile,     ErrorKind::kMismatch, ErrorKind::kNotSupported};
    const auto outcome = fuzz::outcome_of_two(
        kKinds, [] { return load_descriptor(folder.descriptor()); }, check_same);
    if (!outcome.result)
        return 0;
    const Weights &weights = *outcome.result;
    fuzz::require(weights.url().empty() == weights.checkpoint().has_value(),
                  "there is one place for the checkpoint");
    fuzz::outcome_of(kKinds, [&] { return builder_arguments(weights, {}); });
    fuzz::outcome_of(kKinds, [&] {
        return builder_arguments(weights, {{"num_classes", int64_t{2}}});
    });
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                          unsigned seed) {
    return fuzz::mutate_input(data, size, max_size, seed,
                              [](const std::string &text, fuzz::Random &random) {
                                  return fuzz::mutate_json(text, kWords, random);
                              });
}
