// SPDX-License-Identifier: LGPL-2.1-or-later
// What every Check program needs: a suite of one case, run with the normal amount of output.
#pragma once

#include <check.h>
// Check defines a macro of this name, which breaks the standard streams.
#undef fail

#include <tvw/error.h>

#include <initializer_list>
#include <optional>
#include <string>

namespace tvw::test {

/// Runs the tests and answers main()'s exit status. Each test has `timeout_s` seconds.
inline int run_suite(const char *name, std::initializer_list<const TTest *> tests,
                     double timeout_s = 60) {
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_set_timeout(all, timeout_s);
    for (const TTest *test : tests)
        tcase_add_test(all, test);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

/// The Error that `call` throws; none if it throws nothing.
template<typename Call>
std::optional<Error> error_of(Call call) {
    try {
        call();
    } catch (const Error &error) {
        return error;
    }
    return std::nullopt;
}

/// Check's own string assertion keeps a pointer into temporaries that are gone by then.
inline void assert_text(const std::string &actual, const std::string &expected) {
    ck_assert_msg(actual == expected, "got \"%s\", expected \"%s\"", actual.c_str(),
                  expected.c_str());
}

inline bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

} // namespace tvw::test
