// SPDX-License-Identifier: LGPL-2.1-or-later
// Video files in a build without GStreamer.
#include "video.h"

#include <tvw/error.h>

namespace tvw::cli {

void classify_video(const std::filesystem::path &file, const VideoOptions &,
                    const std::function<void(const Classification &)> &) {
    throw Error(ErrorKind::kNotSupported,
                file.string() + ": video files need a build with GStreamer");
}

bool video_supported() {
    return false;
}

} // namespace tvw::cli
