// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a checkpoint is kept and where it comes from.
#pragma once

#include <tvw/weights.h>

#include <filesystem>
#include <string>

namespace tvw {

/// Whether TVW_OFFLINE forbids to open a socket.
bool is_offline();

/// The address to fetch from: TVW_MIRROR's where that is set, else the weights' own.
/// Error(kInvalidArgument) for what is not https://.
std::string download_url(const Weights &weights);

/// For messages: without user name and password.
std::string without_credentials(const std::string &url);

/// The command that gets these weights.
std::string fetch_command(const Weights &weights);

} // namespace tvw
