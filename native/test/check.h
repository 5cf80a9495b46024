// A test framework in one page, so that the core is tested without anything but a compiler.
//
//   TEST(gives_the_same_id_twice) { CHECK(a == b); CHECK_EQUAL(a, b); }
//
// A failed CHECK ends its test and counts it as failed; so does a descriptor that is open after it and was not before.
// The program prints the names of the failed tests and, last, `N passed, N failed`.
#pragma once

#include <dirent.h>

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

namespace check {

// What a test function gets: where its first failure is noted.
struct Result {
  std::string failure;  // empty: none yet
};

struct Test {
  const char* name;
  void (*run)(Result&);
};

// All tests of the program. A function-local static: test files register in no particular order.
inline std::vector<Test>& AllTests() {
  static std::vector<Test> tests;
  return tests;
}

struct Registration {
  Registration(const char* name, void (*run)(Result&)) { AllTests().push_back({name, run}); }
};

template <typename A, typename B>
std::string Compare(const A& actual, const B& expected) {
  if (actual == expected) return {};
  std::ostringstream text;
  text << "is " << actual << ", expected " << expected;
  return text.str();
}

inline std::string At(const char* file, int line, const char* expression, const std::string& detail) {
  return std::string(file) + ":" + std::to_string(line) + ": " + expression + (detail.empty() ? "" : ": " + detail);
}

// Descriptors open in this process (the one that counts them is among them, always).
inline int DescriptorsOpen() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return -1;
  int count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

// Runs all tests, or those whose name contains `filter`. Returns the exit code.
inline int RunTests(const char* filter) {
  int passed = 0;
  int failed = 0;
  for (const Test& test : AllTests()) {
    if (std::string(test.name).find(filter) == std::string::npos) continue;
    Result result;
    const int before = DescriptorsOpen();
    test.run(result);
    const int after = DescriptorsOpen();
    if (result.failure.empty() && after != before)
      result.failure = std::to_string(after - before) + " descriptors were left open";
    if (result.failure.empty()) {
      ++passed;
      continue;
    }
    ++failed;
    std::printf("FAILED %s\n  %s\n", test.name, result.failure.c_str());
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace check

#define TEST(name)                                                       \
  static void Test_##name(check::Result& check_result);                  \
  static const check::Registration register_##name(#name, &Test_##name); \
  static void Test_##name([[maybe_unused]] check::Result& check_result)

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) {                                                     \
      check_result.failure = check::At(__FILE__, __LINE__, #condition, ""); \
      return;                                                               \
    }                                                                       \
  } while (false)

// Both values must be printable with <<.
#define CHECK_EQUAL(actual, expected)                                              \
  do {                                                                             \
    const std::string check_detail = check::Compare((actual), (expected));         \
    if (!check_detail.empty()) {                                                   \
      check_result.failure = check::At(__FILE__, __LINE__, #actual, check_detail); \
      return;                                                                      \
    }                                                                              \
  } while (false)
