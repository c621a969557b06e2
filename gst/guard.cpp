// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guard.h"

#include <tvw/error.h>

#include <exception>

namespace tvw::gst {

namespace {

struct Report {
    GQuark domain;
    int code;
};

Report report_of(ErrorKind kind, Phase phase) {
    if (phase == Phase::kStream)
        return {GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED};
    switch (kind) {
    case ErrorKind::kNotFound:
        return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND};
    case ErrorKind::kInvalidArgument:
        return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS};
    case ErrorKind::kNotSupported:
    case ErrorKind::kCorruptFile:
    case ErrorKind::kMismatch:
    case ErrorKind::kIo:
    case ErrorKind::kInternal:
        break;
    }
    return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT};
}

/// The kind, and the offset in the file where there is one, for programs.
GstStructure *new_details(const Error &error, const std::string &kind) {
    GstStructure *details =
        gst_structure_new("details", "kind", G_TYPE_STRING, kind.c_str(), nullptr);
    if (error.offset())
        gst_structure_set(details, "offset", G_TYPE_UINT64, guint64(*error.offset()), nullptr);
    return details;
}

/// The user text says what is wrong; the debug text when, and of which kind.
void post(GstElement *element, Phase phase, const Error &error) {
    const Report report = report_of(error.kind(), phase);
    const std::string kind(error_kind_name(error.kind()));
    const char *when = phase == Phase::kStart ? "starting" : "classifying";
    GST_WARNING_OBJECT(element, "%s while %s: %s", kind.c_str(), when, error.what());
    gst_element_message_full_with_details(element, GST_MESSAGE_ERROR, report.domain, report.code,
                                          g_strdup(error.what()),
                                          g_strdup_printf("%s error while %s", kind.c_str(), when),
                                          __FILE__, G_STRFUNC, __LINE__, new_details(error, kind));
}

} // namespace

void post_current_exception(GstElement *element, Phase phase) noexcept {
    try {
        throw;
    } catch (const Error &error) {
        post(element, phase, error);
    } catch (const std::exception &error) {
        post(element, phase, Error(ErrorKind::kInternal, error.what()));
    } catch (...) {
        post(element, phase, Error(ErrorKind::kInternal, "unknown exception"));
    }
}

} // namespace tvw::gst
