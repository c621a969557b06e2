// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands behind a tvwclassify element: its properties, its classifier, its last result.
#pragma once

#include <tvw/classifier.h>

#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace tvw::gst {

/// Properties that are read for every frame.
struct Tuning {
    unsigned top_k = 5;
    double threshold = 0;
    unsigned inference_interval = 1;
};

/// All properties; an empty string is one that is not set.
struct Properties {
    std::string weights;
    std::string checkpoint;
    std::string model;
    std::string device = "auto";
    std::string precision = "fp32";
    unsigned threads = 0;
    PreprocessMode preprocess = PreprocessMode::kExact;
    Tuning tuning;
};

/// The result that a frame carries.
struct FrameResult {
    Classification classification; ///< pts_ns is that of the frame it was inferred from
    unsigned age = 0;              ///< frames since then
};

/// Locks: `mutex_` guards the properties alone and is held for a copy, never while loading or
/// classifying. Threads: properties from any; start() and stop() while no frame flows; the rest
/// from the streaming thread.
class ClassifyState {
public:
    Properties properties() const;
    Tuning tuning() const;
    template<typename Edit>
    void edit_properties(Edit edit) {
        const std::lock_guard lock(mutex_);
        edit(properties_);
    }

    /// Loads what the properties name (seconds). Throws Error.
    void start();
    void stop();

    /// The GPU where the model runs, or would run, if it is a GPU; none: the CPU. From any thread.
    std::optional<int> gpu() const;

    void set_info(const GstVideoInfo &info);
    const GstVideoInfo &info() const { return info_; }

    /// The next frame belongs to another place in the stream: the last result says nothing of it.
    void forget();

    /// Counts a frame in; true if it is to be inferred rather than given the last result. Once
    /// due, it stays so until infer().
    bool count_frame();
    /// Classifies a frame, or the region of it that is meant to be seen. After an Error there is
    /// no result until the next frame that is due.
    void infer(const FrameView &frame, std::optional<Region> visible,
               std::optional<uint64_t> pts_ns);
    /// nullptr where there is none.
    const FrameResult *result() const { return result_ ? &*result_ : nullptr; }

    /// Notes whether a frame had no usable answer; true for the first of several that had none.
    bool first_failure(bool failed);
    /// True once after each start: of frames that must be copied, the first.
    bool first_copy();

private:
    /// Where the model runs, as gpu() answers.
    static constexpr int kNotStarted = -2;
    static constexpr int kOnCpu = -1;

    mutable std::mutex mutex_;
    Properties properties_;
    std::atomic<int> place_ = kNotStarted; ///< or the index of a GPU
    std::unique_ptr<Classifier> classifier_;
    GstVideoInfo info_{};
    std::optional<FrameResult> result_;
    std::optional<unsigned> since_inference_; ///< frames; none: the next is due
    bool failing_ = false;
    bool copying_ = false;
};

} // namespace tvw::gst
