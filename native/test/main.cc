#include "check.h"

// native_tests [PART OF A NAME]
int main(int argc, char** argv) { return check::RunTests(argc > 1 ? argv[1] : ""); }
