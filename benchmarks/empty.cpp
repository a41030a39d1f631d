// The least that a C++ program does: what limit.posix_spawn starts and waits for. <iostream> for its initialiser, which
// almost every C++ program runs. With an argument it sleeps until it is killed: limit.idle.pss.

#include <unistd.h>

#include <iostream>

int main(int argc, char** /*argv*/) { return argc == 1 ? 0 : ::pause(); }
