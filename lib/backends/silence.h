// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <c10/util/Exception.h>

namespace tvw {

/// While this lives, LibTorch prints none of its warnings from this thread: the library never
/// prints.
class SilentWarnings {
    class Handler : public c10::WarningHandler {
        void process(const c10::Warning & /*warning*/) override {}
    };

    Handler handler_;
    c10::WarningUtils::WarningHandlerGuard guard_{&handler_};
};

} // namespace tvw
