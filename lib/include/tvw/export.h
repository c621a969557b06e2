// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Marks what the shared libraries export; everything else is built with hidden visibility.
#define TVW_API __attribute__((visibility("default")))
