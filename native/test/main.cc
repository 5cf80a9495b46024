#include <csignal>

#include "check.h"

// native_tests [PART OF A NAME]
int main(int argc, char** argv) {
  // As Node does: splice(2) to a socket that takes no more raises it, and knows no flag against it.
  std::signal(SIGPIPE, SIG_IGN);
  return check::RunTests(argc > 1 ? argv[1] : "");
}
