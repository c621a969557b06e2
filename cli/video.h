// SPDX-License-Identifier: LGPL-2.1-or-later
// Video files for tvw classify: GStreamer decodes them and tvwclassify looks at the frames.
#pragma once

#include <tvw/classifier.h>

#include <filesystem>
#include <functional>

namespace tvw::cli {

struct VideoOptions {
    ClassifierConfig config;
    int top_k = 5;
    double threshold = 0;
};

/// Calls `on_result` for every frame in order. Errors name the file.
void classify_video(const std::filesystem::path &file, const VideoOptions &options,
                    const std::function<void(const Classification &)> &on_result);

/// Whether this build has GStreamer.
bool video_supported();

} // namespace tvw::cli
