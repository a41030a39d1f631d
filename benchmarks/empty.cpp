// The least that a C++ program does: what limit.posix_spawn starts and waits for. <iostream> for its initialiser, which
// almost every C++ program runs.

#include <iostream>

int main() { return 0; }
